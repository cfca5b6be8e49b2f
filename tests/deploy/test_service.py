"""The systemd unit and its environment file: what they name exists, and what the GPU needs stays open."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from fcn_edge.cli.run import command
from fcn_edge.errors import ArtifactError, SourceError, UsageError

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNIT = DEPLOY / "fcn-edge@.service"
CLOSES_DEVICES = {"PrivateDevices", "DevicePolicy", "DeviceAllow", "ProtectClock", "PrivateUsers", "DynamicUser"}
STOPS_THE_JIT = {"MemoryDenyWriteExecute"}


def parsed(path: Path) -> configparser.ConfigParser:
    """A unit file; a key that stands in it twice raises."""
    unit = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(path.read_text(encoding="utf-8"))
    return unit


def environment() -> dict[str, str]:
    lines = (DEPLOY / "camera.env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


SERVICE = parsed(UNIT)["Service"]


def verified(text: str, directory: Path) -> tuple[int, str]:
    """What systemd says of an instance of the unit; its programs are replaced by one that is here."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    unit = directory / UNIT.name
    unit.write_text(re.sub(r"/opt/\S+/fcn-edge|/usr/bin/nvidia-modprobe", "/bin/true", text), encoding="utf-8")
    instance = directory / UNIT.name.replace("@", "@front")
    analyze = ["systemd-analyze", "verify", "--man=no", instance]
    run = subprocess.run(analyze, capture_output=True, text=True, check=False)
    return run.returncode, "".join(line for line in run.stderr.splitlines() if directory.name in line)


def test_systemd_finds_nothing(tmp_path: Path) -> None:
    assert verified(UNIT.read_text(encoding="utf-8"), tmp_path) == (0, "")


def test_systemd_would_find_a_misspelled_key(tmp_path: Path) -> None:
    _, said = verified(UNIT.read_text(encoding="utf-8").replace("PrivateTmp=", "PrivateTemp="), tmp_path)
    assert "PrivateTemp" in said


def test_the_command_is_made_of_the_environment_file() -> None:
    variables = re.findall(r"\$\{?(\w+)\}?", SERVICE["ExecStart"])
    assert set(variables) == set(environment())
    assert SERVICE["EnvironmentFile"] == "/etc/fcn-edge/%i.env"


def test_the_example_is_a_valid_command() -> None:
    line = re.sub(r"\$\{?(\w+)\}?", lambda name: environment()[name[1]], SERVICE["ExecStart"])
    program, verb, *words = shlex.split(line)
    assert (program, verb) == ("/opt/fcn_edge/bin/fcn-edge", "run")
    parameters = command.make_context("run", words).params
    assert (parameters["source"], parameters["sinks"], parameters["size"]) == ("/dev/video0", ("null:",), (480, 640))


def test_it_comes_back_where_that_can_help() -> None:
    assert SERVICE["Restart"] == "on-failure"
    assert int(SERVICE["RestartSec"]) >= 5
    given_up = {int(code) for code in SERVICE["RestartPreventExitStatus"].split()}
    assert given_up == {UsageError.exit_code, ArtifactError.exit_code}
    assert SourceError.exit_code not in given_up, "a lost camera may be plugged in again"


def test_it_says_when_it_is_ready_and_alive() -> None:
    assert (SERVICE["Type"], SERVICE["NotifyAccess"]) == ("notify", "main")
    assert int(SERVICE["WatchdogSec"]) > 2 * 15, "a camera may take 15 s to come"
    assert SERVICE["WatchdogSignal"] == "SIGTERM", "which closes the files"


def test_it_is_ended_by_sigterm() -> None:
    assert SERVICE.get("KillSignal", "SIGTERM") == "SIGTERM"
    ends = SERVICE["SuccessExitStatus"]
    assert ends == str(SourceError.exit_code), "SIGTERM ends fcn-edge with 0, and with 5 before the first frame"
    assert SERVICE["RestartForceExitStatus"] == ends, "a lost camera ends with 5, too, and is tried again"


def test_the_sandbox_leaves_the_gpu_and_cameras() -> None:
    assert not {key for key in SERVICE if key in CLOSES_DEVICES | STOPS_THE_JIT}
    assert {"video", "render"} <= set(SERVICE["SupplementaryGroups"].split())
    assert SERVICE["User"] != "root"
    assert SERVICE["NoNewPrivileges"] == "yes"
    assert SERVICE["ProtectSystem"] == "strict"


def test_what_is_written_is_in_the_state_directory() -> None:
    state = f"/var/lib/{SERVICE['StateDirectory']}"
    assert SERVICE["WorkingDirectory"] == state
    paths = re.findall(r"=(/\S+)", SERVICE["Environment"])
    assert paths
    assert all(path.startswith(f"{state}/") for path in paths)


def test_the_growing_wait_is_the_same_units() -> None:
    backoff = parsed(DEPLOY / "backoff.conf")["Service"]
    assert set(backoff) == {"RestartSec", "RestartSteps", "RestartMaxDelaySec"}
    assert int(backoff["RestartSec"]) < int(backoff["RestartMaxDelaySec"])
