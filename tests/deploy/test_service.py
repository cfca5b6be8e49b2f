"""The systemd unit and its environment file: what they name exists, and what the GPU needs stays open."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from fcn_edge.builder.candidates import ENGINES
from fcn_edge.cli.build import command as build
from fcn_edge.cli.run import command
from fcn_edge.errors import ArtifactError, SourceError, UsageError

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNIT = DEPLOY / "fcn-edge@.service"
RETRY = DEPLOY / "fcn-edge-retry@.service"
DOCUMENT = (DEPLOY.parent / "docs/deployment.md").read_text(encoding="utf-8")
CLOSES_DEVICES = {"PrivateDevices", "DevicePolicy", "DeviceAllow", "ProtectClock", "PrivateUsers", "DynamicUser"}
STOPS_THE_JIT = {"MemoryDenyWriteExecute"}


def parsed(path: Path) -> configparser.ConfigParser:
    """A unit file; a key that stands in it twice raises, but for commands: the second one of a kind gets a number."""
    unit = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    counts: Counter[str] = Counter()

    def numbered(line: str) -> str:
        key, found, rest = line.partition("=")
        if not key.startswith("Exec") or not found:
            return line
        counts[key] += 1
        return line if counts[key] == 1 else f"{key}{counts[key]}={rest}"

    unit.read_string("\n".join(map(numbered, path.read_text(encoding="utf-8").splitlines())))
    return unit


def environment() -> dict[str, str]:
    lines = (DEPLOY / "camera.env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


SERVICE = parsed(UNIT)["Service"]
BUILDS = SERVICE["ExecStartPre2"]


def verified(text: str, directory: Path) -> tuple[int, str]:
    """What systemd says of an instance of the units; their programs are replaced by one that is here."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    unit = directory / UNIT.name
    unit.write_text(re.sub(r"/opt/\S+/fcn-edge|/usr/bin/nvidia-modprobe", "/bin/true", text), encoding="utf-8")
    shutil.copy(RETRY, directory)
    instances = [directory / one.name.replace("@", "@front") for one in (UNIT, RETRY)]
    analyze = ["systemd-analyze", "verify", "--man=no", *instances]
    run = subprocess.run(analyze, capture_output=True, text=True, check=False)
    return run.returncode, "".join(line for line in run.stderr.splitlines() if directory.name in line)


def test_systemd_finds_nothing(tmp_path: Path) -> None:
    assert verified(UNIT.read_text(encoding="utf-8"), tmp_path) == (0, "")


def test_systemd_would_find_a_misspelled_key(tmp_path: Path) -> None:
    _, said = verified(UNIT.read_text(encoding="utf-8").replace("ProtectHome=", "ProtectHouse="), tmp_path)
    assert "ProtectHouse" in said


def test_the_command_is_made_of_the_environment_file() -> None:
    variables = re.findall(r"\$\{?([A-Z]+)\}?", SERVICE["ExecStart"] + BUILDS)
    assert set(variables) == set(environment())
    assert SERVICE["EnvironmentFile"] == "/etc/fcn-edge/%i.env"


def test_the_example_is_a_valid_command() -> None:
    line = re.sub(r"\$\{?(\w+)\}?", lambda name: environment()[name[1]], SERVICE["ExecStart"])
    program, verb, *words = shlex.split(line)
    assert (program, verb) == ("/opt/fcn_edge/bin/fcn-edge", "run")
    parameters = command.make_context("run", words).params
    assert (parameters["source"], parameters["sinks"], parameters["size"]) == ("/dev/video0", ("null:",), (480, 640))
    assert parameters["fallback"] == shlex.split(environment()["BUILD"])[0], "runs without a build"


def test_the_token_is_told_by_the_file_alone() -> None:
    """What stands in a command is shown to every user of the machine."""
    example = (DEPLOY / "camera.env.example").read_text(encoding="utf-8")
    assert re.findall(r"^#(\w+)=$", example, re.MULTILINE) == ["FCN_EDGE_TOKEN"], "empty, it would be a token too short"
    assert not any("TOKEN" in line for line in SERVICE.values())
    assert "-m 640 -g fcn-edge deploy/camera.env.example" in DOCUMENT


def test_a_live_page_is_a_sink_of_the_example() -> None:
    example = (DEPLOY / "camera.env.example").read_text(encoding="utf-8")
    loopback, network = re.findall(r"http://\S*:\d+", example)
    assert f"`SINKS={loopback}`" in DOCUMENT
    assert f"`{network}`" in DOCUMENT


def prepared(directory: Path, fcn_edge: str, **changes: str) -> list[str]:
    """What the unit's build is given by an environment file with some changes; nothing where it does not build."""
    program = directory / "fcn-edge"
    program.write_text(f'#!/bin/sh\nfor word; do echo "$word" >> told; done\n{fcn_edge}\n')
    program.chmod(0o755)
    prefix, line = BUILDS[0], BUILDS[1:].replace("$$", "$").replace("%i", "front")
    line = line.replace("/opt/fcn_edge/bin/fcn-edge", str(program)).replace("/etc/fcn-edge", str(directory))
    settings = directory / "front.env"
    if not settings.exists():
        settings.touch()
        os.utime(settings, (0, 0))
    assert prefix == "-", "the camera is started whatever becomes of the build"
    environ = {"PATH": os.environ["PATH"], **environment(), **changes}
    subprocess.run(shlex.split(line), env=environ, cwd=directory, check=False)
    told = directory / "told"
    lines = told.read_text().splitlines() if told.exists() else []
    told.unlink(missing_ok=True)
    return lines


def test_the_example_runs_the_engine_that_it_builds() -> None:
    """A shipped name, which runs without a build as well, would run on the processor."""
    parameters = build.make_context("build", shlex.split(environment()["BUILD"])).params
    engine = ENGINES / "{model}.{backend}.{precision}".format(**parameters)
    assert Path(environment()["MODEL"]) == engine
    assert f"-o {engine}" in DOCUMENT


@pytest.mark.parametrize("fcn_edge", ["exit 0", "exit 6"])
def test_it_builds_for_the_gpu_what_it_runs(tmp_path: Path, fcn_edge: str) -> None:
    verb, *words = prepared(tmp_path, fcn_edge, MODEL="engines/a b")
    assert verb == "build"
    parameters = build.make_context("build", words).params
    assert (parameters["backend"], parameters["precision"], parameters["if_stale"]) == ("tensorrt", "fp16", True)
    assert (parameters["output"], parameters["size"]) == (Path("engines/a b"), (480, 640))
    documented = f"cd /var/lib/fcn-edge && /opt/fcn_edge/bin/fcn-edge build {environment()['BUILD']} -o"
    assert documented in re.sub(r"\s*\\\n\s*", " ", DOCUMENT)


def test_a_build_that_failed_is_waited_for_once_an_hour(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Else a camera that comes back after an outage would stay dark for the minutes of a build that fails again."""
    assert prepared(tmp_path, "exit 0")
    assert prepared(tmp_path, "exit 4"), "after one that went well"
    capfd.readouterr()
    assert not prepared(tmp_path, "exit 4")
    assert "Remove /var/lib/fcn-edge/front.build-failed to build now." in capfd.readouterr().out, "the journal says why"
    (mark,) = tmp_path.glob("*.build-failed")
    an_hour_ago = time.time() - 3700
    os.utime(mark, (an_hour_ago, an_hour_ago))
    assert prepared(tmp_path, "exit 0")


def test_a_build_whose_settings_were_changed_is_tried_again(tmp_path: Path) -> None:
    assert prepared(tmp_path, "exit 2")
    assert not prepared(tmp_path, "exit 0")
    later = time.time() + 1
    os.utime(tmp_path / "front.env", (later, later))
    assert prepared(tmp_path, "exit 0")


def test_without_a_build_line_nothing_is_built(tmp_path: Path) -> None:
    assert prepared(tmp_path, "exit 0", BUILD="") == []


def test_a_build_is_given_up_before_systemd_would_give_up_the_start() -> None:
    limit = re.search(r"timeout --kill-after=(\d+) (\d+) ", BUILDS)
    assert limit is not None
    assert int(limit[1]) + int(limit[2]) < int(SERVICE["TimeoutStartSec"]), "a timeout of systemd's is a failed start"


def test_it_comes_back_where_that_can_help() -> None:
    assert SERVICE["Restart"] == "on-failure"
    assert int(SERVICE["RestartSec"]) >= 5
    given_up = {int(code) for code in SERVICE["RestartPreventExitStatus"].split()}
    assert given_up == {UsageError.exit_code, ArtifactError.exit_code}
    assert SourceError.exit_code not in given_up, "a lost camera may be plugged in again"


def test_what_it_gives_up_is_tried_again_after_minutes() -> None:
    unit, retry = parsed(UNIT)["Unit"], parsed(RETRY)
    assert unit["OnFailure"] == RETRY.name.replace("@", "@%i")
    assert retry["Unit"]["PartOf"] == UNIT.name.replace("@", "@%i"), "stopping the one stops the other"
    of = retry["Service"]
    assert f" {SERVICE['RestartPreventExitStatus'].replace(' ', '|')}) " in of["ExecCondition"]
    assert of["ExecStart"] == "/bin/sleep 300"
    assert of["ExecStartPost"].endswith(f" start {retry['Unit']['PartOf']}")


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


def test_a_camera_daemon_that_is_started_again_is_found_again() -> None:
    """Its socket in /tmp is made anew, and what was bound before would be the old one."""
    assert "PrivateTmp" not in SERVICE
    assert "BindPaths" not in SERVICE
    assert SERVICE["ReadWritePaths"] == "/tmp"


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
