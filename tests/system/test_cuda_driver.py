from __future__ import annotations

import re
from typing import Any

import pytest

from fcn_edge.system.cuda_driver import Driver, Gpu, loaded_driver, pci_address


class Library:
    """A driver library that answers what it is told to; calls that need a started driver come after cuInit."""

    def __init__(self, version: int, status: int, gpus: list[tuple[str, int, int, int]]) -> None:
        self._version, self._status, self._gpus = version, status, gpus
        self._started = False

    def cuDriverGetVersion(self, version: Any) -> int:
        version._obj.value = self._version
        return 0

    def cuInit(self, flags: int) -> int:
        assert flags == 0
        self._started = self._status == 0
        return self._status

    def cuGetErrorName(self, code: int, name: Any) -> int:
        name._obj.value = b"CUDA_ERROR_NO_DEVICE" if code == 100 else None
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:
        assert self._started
        count._obj.value = len(self._gpus)
        return 0

    def cuDeviceGet(self, device: Any, index: int) -> int:
        if index >= len(self._gpus):
            return 101
        device._obj.value = 7 + index
        return 0

    def cuDeviceGetName(self, name: Any, length: int, device: Any) -> int:
        text = self._gpus[device.value - 7][0].encode()
        assert len(text) < length
        name.value = text
        return 0

    def cuDeviceGetPCIBusId(self, address: Any, length: int, device: Any) -> int:
        assert self._started
        assert length >= 13, "what CUDA asks for"
        address.value = f"0000:{device.value:02x}:00.0".encode()
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:
        value._obj.value = self._gpus[device.value - 7][{75: 1, 76: 2, 16: 3}[attribute]]
        return 0


def test_what_a_driver_tells() -> None:
    driver = loaded_driver(lambda name: Library(12060, 0, [("Orin", 8, 7, 8), ("NVIDIA RTX 4070", 8, 9, 46)]))
    assert driver == Driver("12.6", (Gpu("Orin", "8.7", 8), Gpu("NVIDIA RTX 4070", "8.9", 46)))


@pytest.mark.parametrize(("status", "reason"), [(100, "CUDA_ERROR_NO_DEVICE"), (4242, "error 4242")])
def test_a_driver_that_does_not_start(status: int, reason: str) -> None:
    driver = loaded_driver(lambda name: Library(13000, status, [("x", 1, 2, 3)]))
    assert driver == Driver("13.0", problem=f"libcuda.so.1 does not start: {reason}")


def test_a_board_whose_driver_refuses_the_user() -> None:
    driver = loaded_driver(lambda name: Library(12060, 801, []))
    assert driver == Driver("12.6", problem="the user may not use the GPU: groups video and render", forbidden=True)


def test_no_driver() -> None:
    def absent(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    assert loaded_driver(absent) == Driver(problem="libcuda.so.1 cannot be loaded")


def test_this_machine_can_be_asked() -> None:
    driver = loaded_driver()
    assert driver.problem or all(re.fullmatch(r"\d+\.\d", gpu.capability) for gpu in driver.gpus)
    assert all(gpu.multiprocessors > 0 for gpu in driver.gpus)
    assert not (driver.problem and driver.gpus)


def test_the_address_of_a_device() -> None:
    gpus = [("Orin", 8, 7, 8), ("NVIDIA RTX 4070", 8, 9, 46)]
    assert pci_address(1, lambda name: Library(12060, 0, gpus)) == "0000:08:00.0"
    assert pci_address(2, lambda name: Library(12060, 0, gpus)) == ""
    assert pci_address(0, lambda name: Library(12060, 100, gpus)) == ""


def test_no_driver_knows_no_address() -> None:
    def absent(name: str) -> None:
        raise OSError(name)

    assert pci_address(0, absent) == ""
