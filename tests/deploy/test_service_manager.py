"""The units under a real systemd: what becomes of a camera whose engine cannot be built or run.

A user's manager runs in namespaces of its own, with a control group and a /run of its own, which root alone may make;
on a machine that systemd started, whose groups it would share, that is not tried. Times are a hundredth and less, and a
stand-in is in the place of ``fcn-edge``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .test_service import DEPLOY, RETRY, UNIT

pytestmark = pytest.mark.system

MANAGER = "/lib/systemd/systemd"

STAGE = """
set -e
mount -t tmpfs tmpfs /sys/fs/cgroup
mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd,xattr cgroup /sys/fs/cgroup/systemd
group=/sys/fs/cgroup/systemd/manager
mkdir -p $group
echo $$ > $group/cgroup.procs
mkdir -p /run/systemd
mount -t tmpfs tmpfs /run/systemd
mkdir /run/systemd/system
{manager} --user 2>manager.log &
for attempt in $(seq 100); do systemctl --user is-active --quiet basic.target && break; sleep 0.05; done
sh scenario.sh
kill -9 -1  # all in this namespace but this shell
wait || true
echo $$ > /sys/fs/cgroup/systemd/cgroup.procs
find $group -depth -type d -exec rmdir {} + 2>/dev/null || true
"""

FCN_EDGE = """#!{python}
import os, socket, sys, time
verb, *words = sys.argv[1:]
with open("told", "a") as told:
    print(verb, *words, file=told)
code = int(open(verb).read())
if code or verb == "build":
    sys.exit(code)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
time.sleep(60)
"""

TAKEN = (
    "Exec",
    "Kill",
    "Notify",
    "Restart",
    "SuccessExit",
    "TimeoutStop",
    "Type=",
    "EnvironmentFile",
    "WorkingDirectory",
)
"""How keys of the section [Service] begin that need no root and no board."""


def written(directory: Path) -> None:
    """The units, their environment file and the stand-in."""
    units = directory / "units"
    units.mkdir()
    program = directory / "fcn-edge"
    program.write_text(FCN_EDGE.format(python=sys.executable))
    program.chmod(0o755)
    for path in (UNIT, RETRY):
        head, service = path.read_text(encoding="utf-8").split("[Service]\n")
        lines = [line for line in service.splitlines() if line.startswith(TAKEN) and "nvidia-modprobe" not in line]
        text = "\n".join([re.sub(r"^(After|Wants)=.*\n", "", head, flags=re.MULTILINE), "[Service]", *lines])
        for old, new in (
            ("/opt/fcn_edge/bin/fcn-edge", str(program)),
            ("/etc/fcn-edge", str(directory)),
            ("/var/lib/fcn-edge", str(directory)),
            ("sleep 300", "sleep 1.2"),
            ("RestartSec=10", "RestartSec=0.1"),
            ("systemctl ", "systemctl --user "),
        ):
            text = text.replace(old, new)
        (units / path.name).write_text(text + "\n")
    for target in ("default", "basic", "sysinit", "shutdown"):
        after = "Requires=basic.target\n" if target == "default" else ""
        (units / f"{target}.target").write_text(f"[Unit]\nDescription={target}\n{after}")
    shutil.copy(DEPLOY / "camera.env.example", directory / "front.env")


def played(directory: Path, scenario: str, **codes: int) -> list[str]:
    """What the units did: the lines of the stand-in, and what the scenario printed."""
    written(directory)
    for verb, code in codes.items():
        (directory / verb).write_text(str(code))
    (directory / "scenario.sh").write_text(f"S='systemctl --user'\n{scenario}\ncat told\n")
    environ = {**os.environ, "SYSTEMD_UNIT_PATH": str(directory / "units"), "XDG_RUNTIME_DIR": str(directory)}
    space = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--cgroup", "--kill-child"]
    if not Path(MANAGER).exists() or shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("a user's systemd needs systemd, unshare (util-linux) and root")
    if Path("/run/systemd/system").exists():
        pytest.skip("systemd started this machine, whose control groups are its own")
    if subprocess.run([*space, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False).returncode:
        pytest.skip("this container may make no namespaces")
    stage = [*space, "sh", "-c", STAGE.replace("{manager}", MANAGER)]
    run = subprocess.run(stage, cwd=directory, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


ARGUMENTS = "camvid-mobilenet_v2-fcn8s --backend tensorrt --precision fp16 --size 480x640"
ENGINE = "engines/camvid-mobilenet_v2-fcn8s.tensorrt.fp16"
BUILD = f"build {ARGUMENTS} --if-stale -o {ENGINE}"
RUN = f"run {ENGINE} /dev/video0 null: --size 480x640 --fallback camvid-mobilenet_v2-fcn8s"


def test_a_camera_runs_though_its_engine_cannot_be_built(tmp_path: Path) -> None:
    told = played(
        tmp_path, "$S start fcn-edge@front; $S is-active fcn-edge@front; $S stop fcn-edge@front", build=4, run=0
    )
    assert told == ["active", BUILD, RUN]


def test_what_was_given_up_is_tried_again_until_it_is_stopped(tmp_path: Path) -> None:
    scenario = """
    state() { echo $($S show --property=SubState --value fcn-edge@front fcn-edge-retry@front); }
    becomes() { for i in $(seq 100); do [ "$(state)" = "$1" ] && break; sleep 0.05; done; state; }
    $S start fcn-edge@front 2>/dev/null
    becomes "failed start"
    echo 0 > run; becomes "running dead"
    echo 3 > run; $S kill -s KILL fcn-edge@front; becomes "failed start"
    $S stop fcn-edge@front; becomes "failed dead"
    sleep 1.6; state
    """
    told = played(tmp_path, scenario, build=0, run=3)
    assert [line for line in told if not line.startswith(("build ", "run "))] == [
        "failed start",
        "running dead",
        "failed start",
        "failed dead",
        "failed dead",
    ], told
    assert [line for line in told if line.startswith(("build ", "run "))] == [BUILD, RUN] * 3
