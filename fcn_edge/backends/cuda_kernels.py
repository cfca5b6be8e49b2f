"""The kernels of ``ops`` on a GPU."""

from __future__ import annotations

from fcn_edge.backends.cuda import Device, Stream
from fcn_edge.ops.kernels import Launch, kernel_source

__all__ = ["Kernels"]


class Kernels:
    """Compiles kernels at their first launch; the device keeps and unloads them.

    Args:
        device: The GPU.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._functions: dict[tuple[str, str], int] = {}

    def load(self, launch: Launch) -> int:
        """The function of a launch, so that the launch itself neither compiles nor loads.

        Raises:
            MachineError: There is no compiler, or it fails.
        """
        key = launch.kernel, launch.entry
        if key not in self._functions:
            source = kernel_source(launch.kernel)
            self._functions[key] = self._device.function(source, f"{launch.kernel}.cu", launch.entry)
        return self._functions[key]

    def launch(self, stream: Stream, launch: Launch) -> None:
        """Enqueue a kernel.

        Raises:
            MachineError: There is no compiler, or it fails, or the launch does.
        """
        stream.launch(self.load(launch), launch.grid, launch.block, launch.arguments, launch.shared_bytes)
