from __future__ import annotations

import cv2
import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_info

from fcn_edge.system.thread_pools import owned_thread_pools


def blas_threads() -> list[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.fixture
def two_threads_each() -> object:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("two_threads_each")
def test_pools_have_one_thread_inside_and_theirs_afterwards() -> None:
    before = blas_threads()
    assert before
    with owned_thread_pools():
        assert set(blas_threads()) == {1}
        assert cv2.getNumThreads() == 1
    assert blas_threads() == before
    assert cv2.getNumThreads() == 2


@pytest.mark.usefixtures("two_threads_each")
def test_pools_are_given_back_after_an_error() -> None:
    before = blas_threads()
    with pytest.raises(KeyboardInterrupt), owned_thread_pools():
        raise KeyboardInterrupt
    assert blas_threads() == before
    assert cv2.getNumThreads() == 2


@pytest.mark.usefixtures("two_threads_each")
def test_other_pools_are_left_alone() -> None:
    def others() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] != "blas"]

    before = others()
    with owned_thread_pools():
        assert others() == before
