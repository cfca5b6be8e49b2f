"""The RTSP server of a run over a child that is played, without GStreamer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.errors import MachineError, UsageError
from fcn_edge.runtime.sinks.encoders.units import AccessUnit
from fcn_edge.runtime.sinks.rtsp import server as module
from fcn_edge.runtime.sinks.rtsp import unit_records
from fcn_edge.runtime.sinks.rtsp.server import Mount, RtspServer
from tests.waits import until

from .test_address import address

pytestmark = pytest.mark.usefixtures("no_thread_left")

PLAYED = f"""
import json, os, sys
sys.path.append({str(Path(unit_records.__file__).parent)!r})
from unit_records import MESSAGE, read_record

def tell(**message):
    os.write(int(sys.argv[1]), json.dumps(message).encode() + b"\\n")

while (record := read_record(0)) is not None:
    kind, number, _, _, data = record
    said = json.loads(data) if kind == MESSAGE else {{}}
    if kind != MESSAGE:
        os._exit(7)
    elif "host" in said:
        tell(kind="serving", port=40000)
    elif said["kind"] == "mount":
        tell(kind="looked_at", number=99, on=True)  # a mount that was taken away meanwhile
        tell(kind="looked_at", number=number, on=True)
        tell(kind="mounted", number=number)
"""
REFUSES = 'import os, sys; os.write(int(sys.argv[1]), b\'{"kind": "refused", "code": "busy"}\\n\')'


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RtspServer]:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    monkeypatch.setattr(module, "MOUNT_TIMEOUT", 60.0)
    program = tmp_path / "played.py"
    program.write_text(PLAYED)
    with RtspServer(address("rtsp://:8554/street"), None, sys.executable, program) as server:
        yield server


def test_who_looks_is_told_with_the_mount_before_it_is_handed_out(server: RtspServer) -> None:
    assert server.port == 40000
    calls: list[tuple[Mount, bool]] = []
    mount = server.mount("/street", lambda *call: calls.append(call))
    assert mount.there.is_set()
    assert calls == [(mount, True)], "what is said of other mounts is nobody's"
    with pytest.raises(UsageError, match="40000/street is hosted for another source or sink already"):
        server.mount("/street", lambda *_: None)
    mount.close()
    again = server.mount("/street", lambda *_: None)
    assert again.number != mount.number
    assert calls == [(mount, True)]


def test_a_child_that_dies_is_started_again_with_its_mounts(server: RtspServer) -> None:
    calls: list[bool] = []
    mount = server.mount("/street", lambda _, on: calls.append(on))
    assert calls == [True]
    first = server.pid
    mount.send(AccessUnit(b"x", 0, True, (48, 64)), 0)
    until(lambda: len(calls) == 3)
    assert calls == [True, False, True], "nobody looks at what is not there"
    assert server.pid not in (None, first)
    assert server.error is None


def test_one_that_dies_again_and_again_is_given_up(server: RtspServer) -> None:
    mount = server.mount("/street", lambda *_: None)
    until(lambda: mount.send(AccessUnit(b"x", 0, True, (48, 64)), 0) or server.error)
    assert isinstance(server.error, MachineError)
    assert server.pid is None


@pytest.mark.parametrize(
    ("code", "why"), [(REFUSES, "another program listens on port 8554"), ("raise SystemExit(1)", "ended at once")]
)
def test_one_that_does_not_serve_is_one_sentence(tmp_path: Path, code: str, why: str) -> None:
    program = tmp_path / "played.py"
    program.write_text(code)
    with pytest.raises(MachineError, match=why):
        RtspServer(address("rtsp://:8554/street"), None, sys.executable, program)


def test_no_interpreter(tmp_path: Path) -> None:
    arguments: list[Any] = [address("rtsp://:8554/street"), None, str(tmp_path / "python3"), tmp_path / "played.py"]
    with pytest.raises(MachineError, match="does not start"):
        RtspServer(*arguments)
