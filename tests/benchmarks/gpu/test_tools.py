"""What NVIDIA's tools print of the kernels."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

from fcn_edge.ops.kernels import KERNELS, Launch
from fcn_edge.testing.gpu import FakeGpu

CLEAN = "========= COMPUTE-SANITIZER\n========= ERROR SUMMARY: 0 errors\n"
RACES = """========= COMPUTE-SANITIZER
========= Error: Race reported between Write access at decode_fp16+0x1d0 in decode.cu:120
=========     and Read access at decode_fp16+0x310 in decode.cu:131 [8 hazards]
=========
========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)
"""
REFUSED = "========= COMPUTE-SANITIZER\n========= Error: Device not supported. Please refer to the documentation.\n"

NOT_STARTED = """========= COMPUTE-SANITIZER
========= Error: Target application terminated before first instrumented API call
========= Tracking kernels launched by child processes requires the --target-processes all option.
"""
NOT_PRINTED = "errors were not printed. Use --print-limit option to adjust the number of printed errors"

WHOLE = """==PROF== Connected to process 1234 (/usr/bin/python3.12)
==PROF== Profiling "preprocess" - 0: 0%....50%....100% - 3 passes
"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC",\
"Section Name","Metric Name","Metric Unit","Metric Value"
"0","1234","python3.12","127.0.0.1","preprocess","1","7","(32, 8, 1)","(8, 64, 1)","0","9.0",\
"Command line profiler metrics","gpu__time_duration.sum","nsecond","23,200.50"
"0","1234","python3.12","127.0.0.1","preprocess","1","7","(32, 8, 1)","(8, 64, 1)","0","9.0",\
"Command line profiler metrics","launch__registers_per_thread","register/thread","48"
"0","1234","python3.12","127.0.0.1","preprocess","1","7","(32, 8, 1)","(8, 64, 1)","0","9.0",\
"Command line profiler metrics","sm__inst_executed.avg.per_cycle_active","inst/cycle","nan"
==PROF== Disconnected from process 1234
""".replace("\\\n", "")
"""As ncu prints it, with all of its columns, and a line behind the table."""

COUNTED = """==PROF== Connected to process 7 (/usr/bin/python3.12)
==PROF== Profiling "decode_fp16" - 0: 0%....50%....100% - 2 passes
some text of ours
==PROF== Disconnected from process 7
"ID","Process ID","Kernel Name","CC","Section Name","Metric Name","Metric Unit","Metric Value"
"0","7","decode_fp16(const void *, unsigned char *)","9.0","Command line","gpu__time_duration.sum","ns","1,234"
"0","7","decode_fp16(const void *, unsigned char *)","9.0","Command line","lts__t_sectors_op_read.sum","","n/a"
"1","7","overlay","9.0","Command line","l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum","","10"
"1","7","overlay","9.0","Command line","l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum","sector","45"
"1","7","overlay","9.0","Command line","of another day","","1"
"""


def judged(output: str, rows: list[dict[str, Any]], problem: str = "") -> dict[str, Any]:
    outcome = import_module("gpu.children").Outcome(rows, problem, output)
    row: dict[str, Any] = import_module("gpu.sanitizers").judged("racecheck", outcome)
    return row


def test_a_sanitizer_without_findings_agrees(gpu_check: ModuleType) -> None:
    assert judged(CLEAN, [{"launches": 40}]) == {"found": 0, "launches": 40, "agree": True}
    clean = CLEAN.replace("ERROR SUMMARY: 0 errors", "RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)")
    assert judged(clean, [{"launches": 40}])["agree"]


def test_what_a_sanitizer_finds_is_a_failure_in_its_words(gpu_check: ModuleType) -> None:
    row = judged(RACES, [{"launches": 40}])
    assert (row["found"], row["agree"]) == (1, False)
    assert row["failed"].startswith("racecheck finds 1: Error: Race reported between Write access at decode_fp16")


def test_what_was_not_printed_is_no_summary(gpu_check: ModuleType) -> None:
    lines = ["========= ERROR SUMMARY: 2752 errors", f"========= ERROR SUMMARY: 2747 {NOT_PRINTED}"]
    for output in (lines, lines[::-1]):
        assert judged("\n".join(output), [{"launches": 40}])["found"] == 2752
    assert judged(lines[1], []).keys() == {"absent"}


def test_a_sanitizer_that_watched_nothing_has_found_nothing_out(gpu_check: ModuleType) -> None:
    row = judged(CLEAN, [], "It ended with 1: ImportError: numpy")
    assert not row["agree"]
    assert row["failed"].startswith("racecheck watched no launch (It ended with 1: ImportError: numpy)")


@pytest.mark.parametrize(
    ("output", "reason"), [(REFUSED, "Device not supported"), (NOT_STARTED, "before first instrumented API call")]
)
def test_a_sanitizer_that_the_machine_refuses_is_absent(gpu_check: ModuleType, output: str, reason: str) -> None:
    row = judged(output, [{"launches": 40}], "It ended with 255: nothing")
    assert row.keys() == {"absent"}
    assert reason in row["absent"]


def test_counters_are_read_launch_by_launch(gpu_check: ModuleType) -> None:
    assert import_module("gpu.counters").counted(COUNTED) == [
        ("decode_fp16", {"ns": 1234.0}),
        ("overlay", {"load_requests": 10.0, "load_sectors": 45.0}),
    ]
    assert import_module("gpu.counters").counted(WHOLE) == [("preprocess", {"ns": 23200.5, "registers": 48.0})]
    assert import_module("gpu.counters").counted("==ERROR== ERR_NVGPUCTRPERM\n") == []


@pytest.mark.parametrize("check", ["sanitizers", "counters"])
def test_without_processes_tools_are_absent(run_gpu_check: Any, monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    monkeypatch.setattr(import_module(f"gpu.{check}"), "tool", lambda name: f"/usr/bin/{name}")
    done = run_gpu_check("--only", check)
    assert done.exit_code == 0
    assert done.rows(check) == [{"absent": "it needs processes of its own."}]


@pytest.mark.parametrize("part", ["small", "large"])
def test_what_runs_beneath_them_launches_every_kernel(
    gpu_subject: Any, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    launched = set()
    launch = FakeGpu.launch

    def noted(gpu: FakeGpu, function: int, given: Launch, stream: int) -> None:
        launched.add(given.kernel)
        launch(gpu, function, given, stream)

    monkeypatch.setattr(FakeGpu, "launch", noted)
    rows = list(import_module("gpu.checks").function_of(part)(gpu_subject))
    assert rows
    assert launched == set(KERNELS)
