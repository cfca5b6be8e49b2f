"""The record of the machine and of the method."""

from __future__ import annotations

import pytest

from fcn_edge.bench.report.facts import command_of, device_of, facts_of, method_of, started_of
from fcn_edge.system.facts import read_facts
from tests.bench.report.ladder import ladder
from tests.bench_results import bench_result, bench_row

JETSON = {
    "system": "Linux-5.15.148-tegra",
    "cpu": {"name": "ARMv8", "instruction_set": "dotprod"},
    "jetson": {"board": "NVIDIA Jetson Orin Nano", "l4t": "36.4.3", "jetpack": "6.2", "power_mode": "MAXN_SUPER"},
    "nvidia": {"gpus": [{"name": "Orin", "compute_capability": "8.7"}], "driver": "540.4.0", "cuda": "12.6"},
}


def test_a_board_is_named_with_its_software_and_mode() -> None:
    result = bench_result(bench_row(), machine=JETSON)
    facts = {fact.name: fact.text for fact in facts_of(result)}
    assert device_of(result) == "NVIDIA Jetson Orin Nano, dotprod, Orin"
    assert facts["Board"] == "NVIDIA Jetson Orin Nano, L4T 36.4.3, JetPack 6.2"
    assert facts["Power mode"] == "MAXN_SUPER"
    assert facts["GPU"] == "Orin, compute capability 8.7"


def test_what_the_sensors_told_is_gathered_over_the_rows() -> None:
    facts = {fact.name: fact.text for fact in facts_of(ladder(power=True))}
    assert facts["Clocks"] == "gpu 510 to 918 MHz"
    assert facts["Highest temperature"] == "cpu 62 °C"
    assert facts["Throttled"] == "soft power cap"
    assert facts["Load when rows began"] == "1.4"
    assert facts["Taken by other guests"] == "up to 1.2% of the processor's time"
    assert facts["Power from"] == "VDD_IN of tegrastats: the whole board"


def test_what_is_not_known_is_left_out() -> None:
    result = bench_result(bench_row(power=None), machine={})
    assert {fact.name for fact in facts_of(result)} == {"Run", "Threads of networks", "Control"}
    assert device_of(result) == "an unnamed machine"


@pytest.mark.system
def test_this_machine_is_described() -> None:
    result = bench_result(bench_row(), machine=read_facts().to_json())
    assert {"Processor", "System", "Versions"} <= {fact.name for fact in facts_of(result)}


def test_when_it_was_measured_is_told_with_the_versions() -> None:
    result = bench_result(bench_row("fcn32s"), bench_row("fcn8s"), bench_row("fcn8s", "int8", "openvino"))
    assert started_of(result) == (
        "Measured 2026-05-01 12:00:00 UTC in 5.0 minutes with fcn_edge 0.1, onnxruntime 1.0, openvino 1.0."
    )
    assert started_of(bench_result(machine={}, seconds=42.4)) == "Measured 2026-05-01 12:00:00 UTC in 42 s."


def test_the_method_names_rounds_and_the_control() -> None:
    text = " ".join(method_of(bench_result(bench_row())))
    assert "9 interleaved rounds" in text
    assert "fcn32s fp32 256x320" in text
    assert "at 96% confidence" in text


def test_the_command_is_safe_to_paste() -> None:
    assert command_of(bench_result(bench_row(), suite="a b; rm")) == "fcn-edge bench 'a b; rm' --html report.html"


def test_models_without_a_suite_are_named() -> None:
    result = bench_result(bench_row("fcn8s"), bench_row("fcn8s", "int8"), bench_row("fcn32s"), suite="models")
    names = "camvid-mobilenet_v2-fcn8s camvid-mobilenet_v2-fcn32s"
    assert command_of(result) == f"fcn-edge bench {names} --html report.html"
