"""The record of the machine and of the method."""

from __future__ import annotations

import pytest

from fcn_edge.bench.report.facts import command_of, device_of, facts_of, method_of, started_of
from fcn_edge.bench.report.summary import headline
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
    assert {fact.name for fact in facts_of(result)} == {"Run", "Frames", "Threads of networks", "Control"}
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


def test_threads_are_told_where_a_processor_ran_networks() -> None:
    result = bench_result(bench_row(backend="tensorrt"))
    assert "Threads of networks" not in {fact.name for fact in facts_of(result)}
    assert "thread" not in headline(result)
    assert "2 threads for networks on the processor" in headline(bench_result(bench_row()))


def test_the_method_names_rounds_and_the_control() -> None:
    text = " ".join(method_of(bench_result(bench_row())))
    assert "9 interleaved rounds" in text
    assert "fcn32s fp32 256x320" in text
    assert "at 96% confidence" in text
    assert "mIoU has no interval: it is of these images only." in text


def test_how_often_the_run_waited_is_told() -> None:
    result = bench_result(bench_row())
    waiting = result.model_copy(update={"control": result.control.model_copy(update={"waits": (13.1, 12.9, 10.2)})})
    facts = {fact.name: fact.text for fact in facts_of(waiting)}
    assert facts["Control while the run waited"] == "10.2 to 13.1 ms, 3 times"
    assert "It ran 3 times more where it or a row had just been slower" in method_of(waiting)[0]
    assert "Control while the run waited" not in {fact.name for fact in facts_of(result)}


def test_one_round_says_nothing_of_steadiness() -> None:
    text = " ".join(method_of(bench_result(bench_row(rounds=1, miou=None))))
    assert text == (
        "Rows were measured once: nothing is known of how steady they are. A row's p50 is the median of its 20 frames."
    )


def test_the_command_of_a_suite_that_ships_works() -> None:
    assert command_of(bench_result(bench_row(), suite="shipped")) == "fcn-edge bench shipped --data DIR"
    assert command_of(bench_result(bench_row(miou=None), suite="shipped")) == "fcn-edge bench shipped"
    # has labeled images of its own
    assert command_of(bench_result(bench_row(), suite="demo")) == "fcn-edge bench demo"


@pytest.mark.parametrize("suite", ["models", "mine", "a b; rm"])
def test_what_was_given_otherwise_has_no_command(suite: str) -> None:
    assert command_of(bench_result(bench_row(), suite=suite)) == ""
