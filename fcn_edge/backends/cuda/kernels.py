"""The kernels of ``ops`` on a GPU."""

from __future__ import annotations

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.objects import Stream
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

    def launch(self, stream: Stream, launch: Launch) -> None:
        """Enqueue a kernel; the first time it is loaded, which a stream that is being captured does not allow.

        Raises:
            MachineError: There is no compiler, or it fails, or the launch does.
        """
        stream.launch(self._function(launch), launch)

    def _function(self, launch: Launch) -> int:
        key = launch.kernel, launch.entry
        if key not in self._functions:
            source = kernel_source(launch.kernel)
            self._functions[key] = self._device.function(source, f"{launch.kernel}.cu", launch.entry)
        return self._functions[key]
