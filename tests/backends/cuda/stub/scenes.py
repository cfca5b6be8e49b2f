"""What is done over the real bindings and the driver without a GPU, in a process whose loader finds both.

    python -m tests.backends.cuda.stub.scenes DIRECTORY      # gets report.json, masks.npz and the calls of each phase

It runs in environments that hold little more than the bindings, tells what happened, and judges nothing.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.providers import cuda_python
from fcn_edge.backends.cuda.session import CudaSession
from fcn_edge.backends.options import RunOptions
from fcn_edge.errors import FcnEdgeError
from fcn_edge.ops.kernels import Launch
from fcn_edge.testing.engine import fake_spec

from .brightness import BrightnessEngine, brightness_source
from .control import ILLEGAL_ADDRESS, UNKNOWN, Stub

SIZE = (64, 96)
FRAME_SIZES = (SIZE, (60, 100), (130, 200), (31, 47))
GPUS = {"board": "Orin,8,7,16,1,7607", "card": "NVIDIA H100 80GB HBM3,9,0,132,0,81559"}
"""Name, compute capability, multiprocessors, whether it shares the host's memory, MiB."""

NEVER_LACKED = {"cuGetExportTable", "cuStreamEndCapture"}
"""NVRTC's alone; and what every driver has that can begin a capture."""


def frame(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 12 + 1, width // 12 + 1, 1), np.uint8)
    return np.ascontiguousarray(coarse.repeat(12, axis=0).repeat(12, axis=1).repeat(3, axis=2)[:height, :width])


class Frame:
    """A frame that lies on the GPU, as another library hands it over."""

    def __init__(self, device: Device, image: NDArray[np.uint8], stream: int = 1, padding: int = 0) -> None:
        self._device = device
        self._pitch = image.shape[1] * 3 + padding
        with device.current():
            self._memory = device.host_buffer(image.shape[0] * self._pitch, mapped=True)
        rows = self._memory.array.reshape(image.shape[0], self._pitch)
        rows[:, : image.shape[1] * 3] = image.reshape(image.shape[0], -1)
        self.__cuda_array_interface__ = {
            "shape": image.shape,
            "typestr": "|u1",
            "data": (self._memory.pointer, False),
            "strides": (self._pitch, 3, 1),
            "stream": stream,
            "version": 3,
        }

    def close(self) -> None:
        with self._device.current():
            self._memory.close()


class Work:
    """The scenes of one process."""

    def __init__(self, directory: Path) -> None:
        self.stub = Stub()
        self.directory = directory
        self.cache = directory / "cache"

    @contextmanager
    def session(
        self, spec: ModelSpec | None = None, size: tuple[int, int] = SIZE, graphs: bool = True, driver: Any = None
    ) -> Iterator[tuple[Device, CudaSession]]:
        device = Device(driver or cuda_python.open_gpu(0), self.cache)
        engine = BrightnessEngine(device, spec or fake_spec(), size, RunOptions(graphs=graphs))
        with engine, engine.session() as session:
            yield device, session

    def forked(self, scene: Callable[[], Any]) -> Any:
        """What a scene tells in a process of its own, in which no call was made before."""
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            with os.fdopen(writing, "w") as out:
                json.dump(self.outcome(scene), out)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as told:
            text = told.read()
        _, status = os.waitpid(child, 0)
        return json.loads(text) if text and not status else {"crash": status}

    def outcome(self, scene: Callable[[], Any]) -> dict[str, Any]:
        """What a scene gave, or how it failed; and what it left behind."""
        told: dict[str, Any] = {}
        try:
            told["gave"] = scene()
        except FcnEdgeError as error:
            told.update(error=type(error).__name__, message=error.message, fix=error.fix)
        except Exception:  # a fault, which the test shows
            told["crash"] = traceback.format_exc()
        return told | {"leftovers": self.stub.taken_leftovers(), "misuses": self.stub.taken_misuses()}

    def first_run(self) -> dict[str, Any]:
        """A session on each GPU with an empty cache: kernels are compiled by NVRTC."""
        told = {}
        for name, gpu in GPUS.items():
            self.stub.pose(gpu)
            with self.stub.logging(self.directory / f"first-{name}.log"), self.session() as (device, session):
                session.labels(frame(*SIZE))
                told[name] = {"arch": device.facts.arch, "graphs": session.graphs, "why": session.capture_failure}
        return told

    def small_run(self) -> dict[str, Any]:
        """Open, warm up, two frames, one that lies on the GPU, close: as small as that goes; kernels do nothing."""
        spec = fake_spec(classes=("one", "two"), palette=((0, 0, 0), (1, 1, 1)))
        with self.session(spec, (32, 32)) as (device, session):
            session.warm_up((16, 24))
            for seed in range(2):
                session.labels(frame(16, 24, seed))
            with closing(Frame(device, frame(16, 24), padding=5)) as lent:
                session.labels(lent)
            return {"graphs": session.graphs, "why": session.capture_failure}

    def lacking(self) -> dict[str, Any]:
        """What comes of it when the driver lacks a function, for each that the first run called."""

        def without(function: str) -> Any:
            self.stub.idle(True)
            self.stub.lack(function)
            return self.small_run()

        lines = (self.directory / "first-board.log").read_text(encoding="utf-8").splitlines()
        used = {line.split()[1] for line in lines} - {"lookup"} - NEVER_LACKED
        return {function: self.forked(partial(without, function)) for function in sorted(used)}

    def warm_start(self) -> dict[str, Any]:
        """A process that finds its kernels in the cache, and has no compiler."""

        def missing() -> Any:
            raise ImportError("there is no NVRTC")

        driver = cuda_python.CudaPython(import_module("cuda.bindings.driver"), missing, 0)
        with self.session(driver=driver) as (_, session):
            session.labels(frame(*SIZE))
        return {"nvrtc": "nvrtc" in Path("/proc/self/maps").read_text()}

    def masks(self) -> dict[str, int]:
        """Masks of frames of each size, on each GPU, with and without graphs, and of frames that lie on the GPU."""
        masks: dict[str, NDArray[np.uint8]] = {}
        for name, gpu in GPUS.items():
            self.stub.pose(gpu)
            for graphs in (True, False):
                with self.session(graphs=graphs) as (device, session):
                    for height, width in FRAME_SIZES:
                        for seed in range(2):
                            key = f"{name} {'graph' if graphs else 'steps'} {height}x{width} {seed}"
                            masks[key] = session.labels(frame(height, width, seed))
                        for padding in (0, 5):
                            key = f"{name} {'graph' if graphs else 'steps'}-lent{padding} {height}x{width} 2"
                            with closing(Frame(device, frame(height, width, 2), padding=padding)) as lent:
                                job = session.preprocess(lent, wait=padding == 0)
                                masks[key] = session.postprocess(session.infer(job))
        np.savez(self.directory / "masks.npz", **masks)
        return {"count": len(masks)}

    def phases(self) -> None:
        """The calls of each phase of a session, a file each."""
        for name, gpu in GPUS.items():
            self.stub.pose(gpu)

            def log(phase: str, name: str = name) -> Any:
                return self.stub.logging(self.directory / f"{name}-{phase}.log")

            with log("open"):
                entered = self.session()
                device, session = entered.__enter__()
            with log("preprocess"):
                job = session.preprocess(frame(60, 100))
            with log("infer"):
                session.infer(job)
            with log("postprocess"):
                session.postprocess(job)
            del job
            for number in (2, 3):
                with log(f"frame{number}"):
                    session.labels(frame(60, 100, number))
            for padding, wait in ((0, True), (5, True), (0, False)):
                with closing(Frame(device, frame(60, 100), padding=padding)) as lent:
                    phase = f"lent{padding}" if wait else "handed on"
                    with log(phase):
                        job = session.preprocess(lent, wait=wait)
                    with log(f"{phase} inferred"):
                        session.infer(job)
                    session.postprocess(job)
                    del job
            with log("warm up"):
                session.warm_up((60, 100))
            with log("steady"):
                before = None
                for number in range(20):  # one frame is inferred while the next one is brought
                    job = session.infer(session.preprocess(frame(60, 100, number)))
                    if before is not None:
                        session.postprocess(before)
                    before = job
                session.postprocess(before)
            del before, job
            with log("close"):
                entered.__exit__(None, None, None)

    def waits(self) -> dict[str, Any]:
        """How far another thread gets while a call waits for the GPU; ``held`` keeps the interpreter on purpose."""
        told = {}
        with ExitStack() as made:
            device, _ = made.enter_context(self.session())
            made.enter_context(device.current())
            stream, event = made.enter_context(device.stream()), made.enter_context(device.event())
            stream.record(event)
            held = partial(self.stub.synchronize_and_hold, stream.handle)
            for name, wait in {"stream": stream.synchronize, "event": event.synchronize, "held": held}.items():
                told[name] = self.steps_while(wait)
        return told

    def steps_while(self, wait: Callable[[], None]) -> int:
        """How many milliseconds another thread counts while a call waits for a hundred."""
        steps, over = [0], threading.Event()

        def count() -> None:
            while not over.is_set():
                steps[0] += 1
                time.sleep(0.001)

        other = threading.Thread(target=count)
        other.start()
        self.stub.wait(0.1)
        before = steps[0]
        wait()
        counted = steps[0] - before
        self.stub.wait(0)
        over.set()
        other.join()
        return counted

    def wrong_uses(self) -> dict[str, str]:
        """What the driver says of uses that are wrong."""
        told = {}
        device = Device(cuda_python.open_gpu(0), self.cache)
        with device, device.current():
            driver, stream, memory = device._driver, device.stream(), device.device_buffer(16)
            function = device.function(brightness_source(), "brightness.cu", "brightness")
            launch = Launch(
                "brightness", "brightness", (1, 1, 1), (1, 1, 1), 0, (np.uint64(0),) * 2 + (np.int32(0),) * 4
            )
            pointer = memory.pointer

            def overrun() -> None:
                ctypes.memset(pointer, 0, 17)
                memory.close()

            uses: dict[str, Callable[[], Any]] = {
                "null stream": lambda: driver.launch(function, launch, 0),
                "unknown stream": lambda: driver.stream_synchronize(pointer),
                "beyond the memory": lambda: driver.fill(pointer, 0, 17, stream.handle),
                "external record": lambda: driver.event_record(device.event().handle, stream.handle, True),
                "written beyond": overrun,
                "freed twice": lambda: driver.device_free(pointer),
                "not current": lambda: (driver.leave(), driver.free_bytes()),
            }
            for name, use in uses.items():
                with suppress(FcnEdgeError):
                    use()
                told[name] = self.stub.taken_misuses()
            driver.enter()
            stream.close()
        return told

    def failures(self, step: int, code: int, always: bool) -> list[dict[str, Any]]:
        """A small run for each of its calls, in which that call fails."""
        self.stub.fail_at(0)
        self.small_run()
        told = []
        for number in range(1, self.stub.made + 1, step):
            self.stub.fail_at(number, code, always)
            told.append({"number": number, **self.outcome(self.small_run), "failed": self.stub.failed})
        self.stub.fail_at(0)
        return told


def main(directory: Path) -> None:
    work = Work(directory)
    # in processes of their own first, for the bindings look functions up once
    report: dict[str, Any] = {
        "bindings": metadata.version("cuda-bindings"),
        "first": work.forked(work.first_run),
        "warm": work.forked(work.warm_start),
        "lacking": work.lacking(),
    }
    report["masks"] = work.outcome(work.masks)
    report["phases"] = work.outcome(work.phases)
    report["waits"] = work.outcome(work.waits)
    report["wrong uses"] = work.outcome(work.wrong_uses)
    work.stub.idle(True)
    for name, gpu in GPUS.items():
        work.stub.pose(gpu)
        report[f"failures on a {name}"] = work.failures(step=1, code=UNKNOWN, always=False)
    report["failures from then on"] = work.failures(step=2, code=ILLEGAL_ADDRESS, always=True)
    (directory / "report.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
