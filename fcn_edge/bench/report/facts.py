"""The machine's record and the method of a run, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fcn_edge.bench.report.confidence import confidence_of
from fcn_edge.bench.report.labels import on_processor
from fcn_edge.bench.report.numbers import number, percent, span
from fcn_edge.bench.result import BenchResult, Power
from fcn_edge.bench.suite import read_suite, shipped_suites

__all__ = ["Fact", "command_of", "device_of", "facts_of", "method_of", "started_of"]


@dataclass(frozen=True)
class Fact:
    """A line of the record.

    Attributes:
        name: What it is about.
        text: What was found.
    """

    name: str
    text: str


def device_of(result: BenchResult) -> str:
    """What a run ran on: the board or the processor with its instruction set, and GPUs."""
    machine = result.machine
    cpu, jetson = _part(machine, "cpu"), _part(machine, "jetson")
    instructions = cpu.get("instruction_set", "")
    name = jetson.get("board") or cpu.get("name") or "an unnamed machine"
    gpus = [gpu["name"] for gpu in _part(machine, "nvidia").get("gpus", [])]
    return ", ".join(str(one) for one in (name, instructions, *gpus) if one)


def started_of(result: BenchResult) -> str:
    """When a run began, how long it took, and the versions of fcn_edge and of the libraries that ran rows."""
    own = _part(_part(result.machine, "software"), "packages").get("fcn_edge")
    libraries = dict.fromkeys(row.library for row in result.rows if row.state == "measured")
    versions = _listed(_named("fcn_edge", own), *libraries)
    began = result.started.replace("T", " ").replace("Z", " UTC")
    return f"Measured {began} in {_duration(result)}{f' with {versions}' if versions else ''}."


def facts_of(result: BenchResult) -> list[Fact]:
    """What is known of the machine and of its state during the run; what is not known is left out."""
    lines = [*_hardware(result.machine), *_software(result.machine), *_run(result)]
    return [Fact(name, text) for name, text in lines if text]


def method_of(result: BenchResult) -> list[str]:
    """How the figures were made, in paragraphs."""
    scored = any(row.accuracy for row in result.rows)
    ending = ["mIoU has no interval: it is of these images only."] if scored else []
    if result.rounds == 1:
        return [
            "Rows were measured once: nothing is known of how steady they are. A row's p50 is the median of its "
            f"{result.frames_per_round} frames.",
            *ending,
        ]
    confidence = confidence_of(row for row in result.rows if row.state == "measured")
    reached = f" at {confidence} confidence" if confidence else ""
    return [
        f"Rows were measured in {result.rounds} interleaved rounds: each round runs every row once, for "
        f"{result.frames_per_round} frames, so that a machine that slows down slows all rows alike. The same control "
        f"work ({result.control.name}) ran in every round and moved by {percent(result.control.moved)}% between its "
        f"fastest and its slowest round.{_waiting(result)}",
        "A row's p50 is the median of its rounds' medians, and its interval lies between two of the rounds (order "
        f"statistics; Thompson 1936){reached}. p99 and the distributions come from all frames of all rounds. Rows that "
        "are not steady are marked, not left out, and no sentence above compares their times.",
        *ending,
    ]


def _waiting(result: BenchResult) -> str:
    count = len(result.control.waits)
    if not count:
        return ""
    return (
        f" It ran {_times(count)} more where it or a row had just been slower than before: then the run waits for the "
        "machine. Nothing that was measured is left out."
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def command_of(result: BenchResult) -> str:
    """The command that repeats the run of a suite that ships; empty for others, whose file and options are not known.

    ``DIR`` stands for labeled images that somebody gave.
    """
    if result.suite not in shipped_suites():
        return ""
    given = any(row.accuracy for row in result.rows) and not read_suite(result.suite)[1].data
    return f"fcn-edge bench {result.suite}{' --data DIR' if given else ''}"


def _hardware(machine: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    cpu, jetson, nvidia = (_part(machine, name) for name in ("cpu", "jetson", "nvidia"))
    yield (
        "Board",
        _listed(jetson.get("board"), _named("L4T", jetson.get("l4t")), _named("JetPack", jetson.get("jetpack"))),
    )
    mode = jetson.get("power_mode")
    yield "Power mode", str(mode or "")
    cores, threads = cpu.get("cores"), cpu.get("threads")
    counted = f"{cores} cores" if cores else ""
    yield (
        "Processor",
        _listed(cpu.get("name"), cpu.get("architecture"), counted, f"{threads} hardware threads" if threads else ""),
    )
    yield "Instruction set", _listed(cpu.get("instruction_set"), _named("flags", " ".join(cpu.get("features") or ())))
    yield "Governor", str(cpu.get("governor") or "")
    clocks = cpu.get("clocks_mhz") or ()
    yield "Clocks when it began", f"{span([f'{min(clocks):.0f}', f'{max(clocks):.0f}'])} MHz" if clocks else ""
    memory = _part(machine, "memory")
    if memory:
        free, total = memory.get("free_bytes"), memory.get("total_bytes")
        yield (
            "Memory",
            _listed(f"{number(total / 1e9)} GB" if total else "", f"{number(free / 1e9)} GB free" if free else ""),
        )
    gpus = (
        _listed(gpu["name"], _named("compute capability", gpu.get("compute_capability")))
        for gpu in nvidia.get("gpus", ())
    )
    yield "GPU", "; ".join(gpus)
    yield "Driver", _listed(nvidia.get("driver"), _named("CUDA", nvidia.get("cuda")))


def _software(machine: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    software = _part(machine, "software")
    yield "System", _listed(machine.get("system"), "in a container" if machine.get("container") else "")
    packages = {"Python": software.get("python"), **_part(software, "packages"), **_part(software, "debian")}
    yield "Versions", ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    yield "Environment", ", ".join(f"{name}={value}" for name, value in _part(machine, "environment").items())


def _run(result: BenchResult) -> Iterable[tuple[str, str]]:
    resumed = f"resumed {_times(result.resumed)}" if result.resumed else ""
    yield "Run", _listed(f"began {result.started}", f"took {_duration(result)}", resumed)
    yield "Frames", result.frames
    yield "Threads of networks", str(result.threads) if on_processor(result.rows) else ""
    control = result.control
    rounds = ", ".join(number(value) for value in control.rounds)
    yield "Control", f"{control.name}: {rounds} ms; moved by {percent(control.moved)}%"
    waits = [number(value) for value in sorted(control.waits)]
    yield "Control while the run waited", f"{span(waits)} ms, {_times(len(waits))}" if waits else ""
    powers = [row.power for row in result.rows if row.power and row.state == "measured"]
    loads = [one.load for one in powers if one.load is not None]
    yield "Load when rows began", span([f"{min(loads):.1f}", f"{max(loads):.1f}"]) if loads else ""
    steals = [one.steal for one in powers if one.steal is not None]
    yield "Taken by other guests", f"up to {percent(max(steals))}% of the processor's time" if steals else ""
    yield from _sensors(powers)


def _duration(result: BenchResult) -> str:
    return f"{result.seconds / 60:.1f} minutes" if result.seconds >= 90 else f"{result.seconds:.0f} s"


def _sensors(powers: list[Power]) -> Iterable[tuple[str, str]]:
    clocks: dict[str, tuple[float, float]] = {}
    temperatures: dict[str, float] = {}
    for one in powers:
        for name, (low, high) in one.clocks_mhz.items():
            known = clocks.get(name, (low, high))
            clocks[name] = (min(low, known[0]), max(high, known[1]))
        for name, value in one.temperature_c.items():
            temperatures[name] = max(value, temperatures.get(name, value))
    yield (
        "Clocks",
        ", ".join(f"{name} {span([f'{low:.0f}', f'{high:.0f}'])} MHz" for name, (low, high) in clocks.items()),
    )
    yield "Highest temperature", ", ".join(f"{name} {value:.0f} °C" for name, value in temperatures.items())
    throttled = dict.fromkeys(words for one in powers for words in one.throttled)
    yield "Throttled", ", ".join(throttled) or ("never seen" if clocks or temperatures else "")
    yield "Power from", "; ".join(dict.fromkeys(one.source for one in powers if one.source))
    yield "No power", " ".join(dict.fromkeys(one.absent for one in powers if one.absent))


def _part(machine: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of the facts; empty where the machine has none of it."""
    found = machine.get(name)
    return found if isinstance(found, Mapping) else {}


def _listed(*words: object) -> str:
    return ", ".join(str(word) for word in words if word)


def _named(name: str, value: object) -> str:
    return f"{name} {value}" if value else ""
