"""The process that builds: what its end means, whatever it is."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.backends.base import Built
from fcn_edge.backends.tensorrt.compile import worker
from fcn_edge.backends.tensorrt.compile.process import build_in_process
from fcn_edge.backends.tensorrt.compile.request import Request
from fcn_edge.errors import DeviceError, FcnEdgeError, GuardError, MachineError, ModelError
from tests.waits import until

START = """
import json, os, signal, sys, time
pipe = os.fdopen(int(sys.argv[1]), "w")
def tell(**what):
    print(json.dumps(what), file=pipe, flush=True)
request = json.load(sys.stdin)
"""


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    return Request(
        backend="tensorrt",
        onnx=Path("m.onnx"),
        quantized=True,
        directory=tmp_path,
        plan="model.plan",
        size=(64, 96),
        device=DeviceInfo("cuda", "Orin", "8.7"),
        here=True,
    )


def run(request: Request, code: str, monkeypatch: pytest.MonkeyPatch, progress: list[object] | None = None) -> Built:
    """Build with a worker that does something else."""
    (request.directory / "odd_worker.py").write_text(START + code)
    monkeypatch.syspath_prepend(request.directory)
    told = [] if progress is None else progress
    return build_in_process(request, lambda *step: told.append(step), worker="odd_worker")


def test_a_request_arrives_as_it_was_sent(request_: Request) -> None:
    assert Request.from_json(request_.to_json()) == request_


def test_progress_and_result_come_back(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    code = """
tell(progress=["timing tactics", 3, 10])
tell(built={"files": ["model.plan"], "notes": {"size": request["size"]}, "int8_share": 0.5})
"""
    built = run(request_, code, monkeypatch, told)
    assert built == Built(("model.plan",), {"size": [64, 96]}, 0.5)  # type: ignore[dict-item]
    assert told == [("timing tactics", 3, 10)]


@pytest.mark.parametrize(
    ("gpu", "visible", "seen"),
    [(0, None, None), (0, "3,1", "3,1"), (2, None, "2"), (1, "3,1", "1"), (0, "", ""), (1, "GPU-a, GPU-b", "GPU-b")],
)
def test_the_child_s_only_gpu_is_the_chosen_one(
    gpu: int, visible: str | None, seen: str | None, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    code = "tell(built={'files': [], 'notes': {'seen': os.environ.get('CUDA_VISIBLE_DEVICES')}, 'int8_share': None})"
    assert run(replace(request_, gpu=gpu), code, monkeypatch).notes == {"seen": seen}


@pytest.mark.parametrize("kind", [ModelError, GuardError, MachineError, DeviceError])
def test_errors_come_back(kind: type[FcnEdgeError], request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"tell(error={{'kind': '{kind.__name__}', 'message': 'It is so.', 'fix': 'Do this.'}})"
    with pytest.raises(FcnEdgeError) as caught:
        run(request_, code, monkeypatch)
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.fix) == ("It is so.", "Do this.")


def test_what_the_system_says_comes_back(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        run(request_, "tell(failed=[28, 'No space left on device'])", monkeypatch)
    assert caught.value.errno == 28


@pytest.mark.parametrize("code", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(137)"])
def test_a_killed_build_ran_out_of_memory(code: str, request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MachineError, match=r"TensorRT built m\.onnx was killed, most likely because memory ran out"):
        run(request_, code, monkeypatch)


def test_a_crash_is_a_machine_error_with_the_last_words(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "print('all', flush=True); print('is lost.', file=sys.stderr, flush=True); os.kill(os.getpid(), signal.SIGSEGV)"
    )
    with pytest.raises(MachineError, match=r"crashed \(SIGSEGV\) while it built m\.onnx: is lost\. "):
        run(request_, code, monkeypatch)


def test_a_mistake_in_the_worker_is_an_internal_error(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FcnEdgeError, match=r"ended with code 1: ValueError: odd\.$") as caught:
        run(request_, "raise ValueError('odd')", monkeypatch)
    assert caught.value.exit_code == 1


def test_a_worker_that_says_nothing_is_an_error(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FcnEdgeError, match="ended with code 0"):
        run(request_, "", monkeypatch)


def test_whatever_stops_the_call_kills_the_build(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    (request_.directory / "odd_worker.py").write_text(
        START + "tell(progress=[str(os.getpid()), 0, 1]); time.sleep(600)"
    )
    monkeypatch.syspath_prepend(request_.directory)
    found = []

    def interrupt(what: str, done: int, total: int) -> None:
        found.append(int(what))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_in_process(request_, interrupt, worker="odd_worker")
    with pytest.raises(ProcessLookupError):
        os.kill(found[0], 0)


def test_a_build_whose_caller_is_gone_ends(request_: Request) -> None:
    """The pipe breaks at the worker's next word."""
    reading, writing = os.pipe()
    code = (
        "import sys; from fcn_edge.backends.tensorrt.compile import worker\n"
        "def build(trt, request, progress):\n    while True: progress('timing tactics', 0, 1)\n"
        "worker.library, worker.build_plan = str, build\nworker.main()"
    )
    command = [sys.executable, "-c", code, str(writing), str(os.getpid())]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(writing,), text=True)
    os.close(writing)
    assert process.stdin is not None
    with process.stdin:
        process.stdin.write(request_.to_json())
    assert os.read(reading, 10)
    os.close(reading)
    until(lambda: process.poll() is not None)
    assert process.poll() == 1


def ended(pid: int) -> bool:
    """A process is gone, or dead and only not yet collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except FileNotFoundError:
        return True


@pytest.mark.system
@pytest.mark.skipif(sys.platform != "linux", reason="the system kills children of the dead on Linux alone")
def test_a_build_that_says_nothing_ends_with_a_caller_that_is_killed(request_: Request, tmp_path: Path) -> None:
    (tmp_path / "silent_worker.py").write_text(
        textwrap.dedent("""
            import os, time
            from fcn_edge.backends.tensorrt.compile import worker

            def build(trt, request, progress):
                progress(str(os.getpid()), 0, 1)
                time.sleep(600)

            worker.library, worker.build_plan = str, build
            worker.main()
        """)
    )
    code = """
        import sys
        from fcn_edge.backends.tensorrt.compile.process import build_in_process
        from fcn_edge.backends.tensorrt.compile.request import Request

        sys.path.insert(0, sys.argv[2])
        tell = lambda what, done, total: print(what, flush=True)
        build_in_process(Request.from_json(sys.argv[1]), tell, worker="silent_worker")
    """
    command = [sys.executable, "-c", textwrap.dedent(code), request_.to_json(), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        builder = int(caller.stdout.readline())
        assert not ended(builder)
        caller.kill()
    until(lambda: ended(builder))


def test_a_build_whose_caller_ended_before_it_began_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(worker.os, "_exit", codes.append)
    monkeypatch.setattr(worker.sys, "platform", "another")
    for parent in (os.getppid(), 0):
        worker._end_with(parent)
    assert codes == [1]
