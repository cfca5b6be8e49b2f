"""What the GPU's own counters say of each kernel, by NVIDIA's ncu: where the time goes that ``speed`` measures."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from contextlib import suppress

from gpu.children import run_check, tool
from gpu.subject import Row, Subject

__all__ = ["METRICS", "check", "counted"]

METRICS = {
    "gpu__time_duration.sum": "ns",
    "launch__registers_per_thread": "registers",
    "smsp__inst_executed.sum": "warp_instructions",
    "sm__inst_executed.avg.per_cycle_active": "instructions_a_cycle",
    "sm__warps_active.avg.pct_of_peak_sustained_active": "warps_active_percent",
    "l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum": "load_requests",
    "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum": "load_sectors",
    "lts__t_sectors_op_read.sum": "l2_sectors_read",
    "dram__bytes_read.sum": "dram_bytes_read",
    "dram__bytes_write.sum": "dram_bytes_written",
}
"""What is asked for, and what it is called here."""

LIMIT_S = 80


def check(subject: Subject) -> Iterator[Row]:
    """A row for each launch."""
    program = tool("ncu")
    if program is None or not subject.request.alone:
        yield {"absent": f"{'ncu is not here' if program is None else 'it needs processes of its own'}."}
        return
    # the clocks are left as they are: a machine may be shared
    words = (
        "--kernel-name",
        "regex:^(decode|preprocess|overlay)",
        "--csv",
        "--print-units",
        "base",
        "--clock-control",
        "none",
        "--metrics",
        ",".join(METRICS),
    )
    outcome = run_check("large", subject.request, LIMIT_S, (program, *words))
    launches = counted(outcome.output)
    if not launches:  # it may not read them: the machine's matter
        said = [line for line in outcome.output.splitlines() if line.startswith("==ERROR==")]
        yield {"absent": f"ncu gave no counters: {outcome.problem} {' '.join(said)[:300]}".rstrip()}
        return
    for told, (kernel, values) in zip(outcome.rows, launches, strict=False):
        row = {"kernel": kernel} | told | values
        if values.get("load_requests"):
            row["sectors_a_request"] = round(values["load_sectors"] / values["load_requests"], 2)
        yield row


def counted(output: str) -> list[tuple[str, dict[str, float]]]:
    """Name and counters of each launch, in order.

    Args:
        output: What ncu printed: a table, after other lines, with a line for each counter.
    """
    lines = output.splitlines()
    begin = next((number for number, line in enumerate(lines) if line.startswith('"ID"')), len(lines))
    launches: dict[str, tuple[str, dict[str, float]]] = {}
    for line in csv.DictReader(lines[begin:]):
        name = METRICS.get(line.get("Metric Name") or "")
        if name is None:
            continue
        value = (line.get("Metric Value") or "").replace(",", "")
        kernel = (line.get("Kernel Name") or "").partition("(")[0]
        values = launches.setdefault(line["ID"], (kernel, {}))[1]
        with suppress(ValueError):  # "n/a" where a GPU has no such counter, "nan" where it divides by nothing
            counter = float(value)
            if math.isfinite(counter):
                values[name] = counter
    return list(launches.values())
