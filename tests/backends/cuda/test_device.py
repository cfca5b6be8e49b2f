from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fcn_edge.backends.cuda import device as cuda_device
from fcn_edge.backends.cuda import driver
from fcn_edge.backends.cuda.device import open_device
from fcn_edge.backends.cuda.errors import GpuMemoryError, RefusedCodeError, cuda_error, no_driver, no_such_gpu, too_old
from fcn_edge.errors import DeviceError, MachineError, MissingExtraError, UsageError
from fcn_edge.testing.gpu import FakeGpu


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what each provider, in order, finds: a driver, None, or an error."""

    def set_found(*found: Any) -> list[str]:
        asked: list[str] = []

        def imported(name: str) -> Any:
            def open_gpu(index: int) -> Any:
                asked.append(name if index == 0 else f"{name} for {index}")
                answer = found[int(name)]
                if isinstance(answer, Exception):
                    raise answer
                return answer

            return SimpleNamespace(open_gpu=open_gpu)

        monkeypatch.setattr(cuda_device, "PROVIDERS", {str(index): str(index) for index in range(len(found))})
        monkeypatch.setattr(cuda_device, "import_module", imported)
        return asked

    return set_found


def test_cuda_python_comes_before_pycuda() -> None:
    assert list(cuda_device.PROVIDERS) == ["cuda-python", "pycuda"]


def test_the_environment_may_name_the_library(providers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, expected in (("1", ["1"]), ("", ["0"])):
        asked = providers(FakeGpu(), FakeGpu())
        monkeypatch.setenv("FCN_EDGE_CUDA", name)
        open_device().close()
        assert asked == expected


def test_a_library_that_is_named_and_fails_is_not_replaced(providers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    providers(FakeGpu(), MachineError("Broken."))
    monkeypatch.setenv("FCN_EDGE_CUDA", "1")
    with pytest.raises(MachineError, match="Broken"):
        open_device()


def test_a_name_of_no_library_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCN_EDGE_CUDA", "cupy")
    with pytest.raises(UsageError, match="FCN_EDGE_CUDA is 'cupy'; cuda-python or pycuda was expected") as caught:
        open_device()
    assert caught.value.exit_code == 2
    assert caught.value.fix.startswith("Leave FCN_EDGE_CUDA out")


@pytest.mark.parametrize(("name", "extra"), [("pycuda", "'fcn_edge[pycuda]'"), ("cuda-python", "'fcn_edge[cuda12]'")])
def test_a_library_that_is_named_and_missing_is_an_extra(
    monkeypatch: pytest.MonkeyPatch, name: str, extra: str
) -> None:
    monkeypatch.setenv("FCN_EDGE_CUDA", name)
    monkeypatch.setattr(cuda_device, "import_module", lambda _: SimpleNamespace(open_gpu=lambda index: None))
    with pytest.raises(MissingExtraError, match=f"needs the Python package {name}, which is not installed") as caught:
        open_device()
    assert f"pip install {extra}" in caught.value.fix


def test_the_first_library_that_is_installed_is_taken(providers: Any) -> None:
    asked = providers(None, FakeGpu(), FakeGpu())
    with open_device() as device:
        assert device.facts.name == "Fake GPU"
    assert asked == ["0", "1"]


def test_libraries_are_asked_for_the_gpu_that_is_wanted(providers: Any) -> None:
    asked = providers(None, FakeGpu(index=3))
    with open_device(3) as device:
        assert device.facts.index == 3
    assert asked == ["0 for 3", "1 for 3"]


def test_a_broken_library_is_passed_over(providers: Any) -> None:
    providers(MachineError("Broken."), FakeGpu())
    open_device().close()


def test_the_first_failure_is_told(providers: Any) -> None:
    providers(None, MachineError("First."), DeviceError("Second."))
    with pytest.raises(MachineError, match="First"):
        open_device()


def test_no_library_is_a_missing_extra(providers: Any) -> None:
    providers(None, None)
    with pytest.raises(MissingExtraError) as caught:
        open_device()
    assert caught.value.fix.startswith("Install it with: pip install 'fcn_edge[cuda]', or with a driver for CUDA 12 ")
    assert caught.value.fix.endswith("pip install 'fcn_edge[cuda12]'")


def test_facts_are_named_as_manifests_name_them() -> None:
    facts = FakeGpu(capability=(11, 0)).facts
    assert facts.arch == "sm_110"
    assert (facts.device.kind, facts.device.name, facts.device.capability) == ("cuda", "Fake GPU", "11.0")
    assert (facts.device.board, facts.device.state) == ("", "16 SM")


def test_a_gpu_that_is_part_of_a_board_is_known_by_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "board_and_mode", lambda: ("NVIDIA Jetson Orin Nano Developer Kit", "15W"))
    board = FakeGpu(integrated=True).facts.device
    assert (board.name, board.title, board.state) == (
        "Fake GPU",
        "NVIDIA Jetson Orin Nano Developer Kit",
        "16 SM, power mode 15W",
    )
    assert FakeGpu(integrated=False).facts.device.title == "Fake GPU", "a card in a board is no part of it"


@pytest.mark.parametrize(
    ("error", "kind", "sentence", "fix"),
    [
        (cuda_error("cuMemAlloc", "CUDA_ERROR_OUT_OF_MEMORY"), GpuMemoryError, "no memory left (cuMemAlloc)", "--size"),
        (cuda_error("cuInit", "CUDA_ERROR_NO_DEVICE"), DeviceError, "finds no GPU", "--gpus all"),
        (cuda_error("cuInit", "CUDA_ERROR_NO_DEVICE"), DeviceError, "finds no GPU", "groups video and render"),
        (cuda_error("cuInit", "CUDA_ERROR_NOT_SUPPORTED"), DeviceError, "groups video and render", "usermod -aG"),
        (cuda_error("cuThing", "CUDA_ERROR_NOT_SUPPORTED"), DeviceError, "failed in cuThing", "doctor"),
        (cuda_error("cuLaunchKernel", "CUDA_ERROR_ILLEGAL_ADDRESS"), DeviceError, "out of its memory", "sanitizer"),
        (cuda_error("cuModuleLoadData", "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"), RefusedCodeError, "older", "JetPack"),
        (no_such_gpu(1, 1), DeviceError, "There is no GPU 1: this machine has GPU 0 only", "CUDA_VISIBLE_DEVICES"),
        (no_such_gpu(7, 4), DeviceError, "There is no GPU 7: this machine has GPUs 0 to 3", "CUDA_VISIBLE_DEVICES"),
        (no_such_gpu(0, 0), DeviceError, "finds no GPU", "--gpus all"),
        (cuda_error("cuThing", "CUDA_ERROR_WHATEVER"), DeviceError, "failed in cuThing: CUDA_ERROR_WHATEVER", "doctor"),
        (no_driver(), DeviceError, "not here: its library libcuda.so.1 cannot be loaded.", "JetPack"),
        (cuda_error("cuModuleLoadData", "CUDA_ERROR_INVALID_IMAGE"), RefusedCodeError, "does not take", "not be newer"),
        (
            cuda_error("cuModuleLoadData", "CUDA_ERROR_INVALID_SOURCE"),
            RefusedCodeError,
            "does not take",
            "not be newer",
        ),
        (too_old("cuNew", (11, 4)), MachineError, "for CUDA 11.4, has no cuNew", "(on Jetson: JetPack)."),
        (too_old("cuNew", (12, 2)), MachineError, "for CUDA 12.2, has no cuNew", "fcn_edge[cuda12]"),
        (too_old("cuNew", (13, 0)), MachineError, "for CUDA 13.0, has no cuNew", "fcn_edge[cuda]"),
    ],
)
def test_errors_are_a_sentence_and_a_fix(error: MachineError, kind: type, sentence: str, fix: str) -> None:
    assert type(error) is kind
    assert sentence in error.message
    assert error.message.count("\n") == 0
    assert error.message.count(". ") == 0
    assert error.message.endswith(".")
    assert fix in error.fix
    assert "nvidia-smi" not in str(error)
