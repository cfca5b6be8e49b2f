from __future__ import annotations

from types import SimpleNamespace

import pytest

from fcn_edge.backends.tensorrt.log import Message, log_of

from .standin import standin
from .trim_api import TRIMMED, read


def test_a_library_has_one_log_for_the_life_of_the_process() -> None:
    trt = standin(read(TRIMMED / "10.3.0.json"))
    assert log_of(trt) is log_of(trt)
    assert log_of(trt).logger is log_of(trt).logger


@pytest.mark.parametrize(
    ("severity", "text", "kept"),
    [
        ("ERROR", "x", True),
        ("WARNING", "x", True),
        ("INFO", "x", True),
        ("VERBOSE", "x", False),
        ("VERBOSE", "Layers:\nName: x", True),
    ],
)
def test_messages_are_taken_once(severity: str, text: str, kept: bool) -> None:
    log = log_of(standin(read(TRIMMED / "10.3.0.json")))
    log.logger.log(SimpleNamespace(name=severity), text)
    assert log.take() == ([Message(severity, text)] if kept else [])
    assert log.take() == []


def test_old_messages_make_room() -> None:
    """A camera's process runs for months."""
    log = log_of(standin(read(TRIMMED / "10.3.0.json")))
    for number in range(20_000):
        log.logger.log(SimpleNamespace(name="WARNING"), str(number))
    taken = log.take()
    assert len(taken) == 10_000
    assert taken[-1].text == "19999"
