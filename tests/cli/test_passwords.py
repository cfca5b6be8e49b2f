"""No verb prints the password of an address, wherever somebody typed the address."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fcn_edge.cli.main import main

MODEL = "camvid-mobilenet_v2-fcn8s"
"""A shipped model."""

NET = ["--encoder", "mobilenet_v2", "--decoder", "fcn32s"]

ADDRESSES = [
    "rtsp://u:secret@x",
    "rtsp:/u:secret@x",
    "rtsp://u:my secret@x",
    "RTSP://u:1/secret@x/y",
    "http://x/?usr=a&pswd=secret",
    "http://x/?usr=a&psw=secret",
    "v4l2://u:secret@x",
    "v4l2://u:p#size=secret@x",
    "rtsp://secret@x",
    "rtsp:/u:secret@x/y.ts",
    "file://u:secret@x/y.mp4",
]
"""``secret`` in each is a password."""

PLACES = {
    "the verb": ["{}"],
    "run, model": ["run", "{}", "null:"],
    "run, source": ["run", MODEL, "{}"],
    "run, sink": ["run", MODEL, "synthetic://street?frames=1&size=64x64", "{}"],
    "run, frames": ["run", MODEL, "null:", "--frames", "{}"],
    "run, size": ["run", MODEL, "null:", "--size", "{}"],
    "doctor": ["doctor", "{}"],
    "an option": ["--{}"],
    "a surplus argument": ["inspect", MODEL, "{}"],
    "evaluate, model": ["evaluate", "{}", "--data", "synthetic://street?frames=1"],
    "evaluate, data": ["evaluate", MODEL, "--data", "{}"],
    "build, model": ["build", "{}"],
    "build, evaluation": ["build", MODEL, "-o", "engine", "--eval", "{}"],
    "build, calibration": ["build", MODEL, "-o", "engine", "--precision", "int8", "--calibration", "{}"],
    "calibrate, model": ["calibrate", "{}", "--images", "photos", "-o", "table.json"],
    "calibrate, images": ["calibrate", MODEL, "--images", "{}", "-o", "table.json"],
    "calibrate, output": ["calibrate", MODEL, "--images", "photos", "-o", "{}"],
    "data check": ["data", "check", "{}"],
    "data import": ["data", "import", "{}", "{}", "-o", "set", "--colors", "camvid"],
    "export, checkpoint": ["export", "{}", "-o", "net.onnx"],
    "compare": ["compare", "{}", "{}"],
    "choose": ["choose", "{}", "--fps", "1"],
    "inspect": ["inspect", "{}"],
    "train, data": ["train", *NET, "--data", "{}", "-o", "net.safetensors"],
    "train, file that must exist": ["train", *NET, "--data", "photos", "--init", "{}", "-o", "net.safetensors"],
}
"""Arguments, ``{}`` for the address."""


FLAGS = [[], ["--json"], ["--debug"], ["--json", "--debug"]]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("place", PLACES)
def test_no_verb_prints_a_password(place: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address at each place, and each of both with all flags."""
    flags = FLAGS[(list(PLACES).index(place) + ADDRESSES.index(address)) % len(FLAGS)]
    if place.startswith(("export", "train")):
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    words = [word.replace("{}", address) for word in PLACES[place]]
    result = CliRunner().invoke(main, [*words, *flags])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    # only a sink may be called so: with one slash it is a folder
    written = place == "run, sink" and address == "rtsp:/u:secret@x"
    # to one with another slash video is pushed, where nobody takes it
    refused = (2, 3, 5, 6) if place == "run, sink" else (2, 3, 5)
    assert result.exit_code == 0 if written else result.exit_code in refused
    assert "secret" not in result.stdout + result.stderr
    if "--json" in flags:
        assert json.loads(result.stdout).get("exit_code", 0) == result.exit_code


@pytest.mark.parametrize("flags", [[], ["--json"], ["--debug"]], ids=" ".join)
@pytest.mark.parametrize("source", ["/dev/u:secret@x", "v4l2:///dev/u:secret@x", "u:secret@x"])
def test_run_prints_no_password_of_a_source_without_a_scheme(source: str, flags: list[str]) -> None:
    result = CliRunner().invoke(main, ["run", MODEL, source, *flags])
    assert result.exit_code == 5
    assert "secret" not in result.stdout + result.stderr
    assert "u:***@x" in result.stdout + result.stderr
