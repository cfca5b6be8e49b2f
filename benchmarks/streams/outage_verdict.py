"""What must hold of a run whose camera fails again and again."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from benchmarks.streams.growing_video import GrowingVideo, plays
from benchmarks.streams.notes import NotedChange, NotedFrame
from benchmarks.streams.verdict import Verdict
from benchmarks.streams.watched import WatchedRun
from fcn_edge.metrics.durations import NS_PER_MS, NS_PER_S
from fcn_edge.runtime.grade import grade_of
from fcn_edge.runtime.sinks.video import STAND_IN_EVERY

__all__ = ["Kind", "Outage", "judged"]

Kind = Literal["kill", "stop"]

SOON = 3.0
"""Seconds after a return within which frames must flow."""
MOST_BEHIND = 50
"""Frames that a copy of the video may lack: two seconds of them. In seconds it may be more: while the camera is away,
the second before waits to be complete."""
AWAY = ("stalled", "lost")
MORE_STAND_INS = 4
TOLD: dict[Kind, str] = {
    "kill": "lost (waiting_for_keyframe )?live ",
    "stop": "stalled (lost )?(waiting_for_keyframe )?live ",
}
"""The states that are told of an outage, as a regular expression."""


@dataclass
class Outage:
    """One time that the camera was away: when that began, when it ended, and the first frame that left after it.

    Attributes:
        kind: What happened.
        began_ns: Unix time of the kill or the stop.
        returned_ns: Unix time at which the server said that it is ready, or was let go on.
        flows_after: Seconds from then to the first mask of a frame that left later; None where none came.
    """

    kind: Kind
    began_ns: int
    returned_ns: int
    flows_after: float | None = None


def judged(
    run: WatchedRun,
    planned: int,
    outages: Sequence[Outage],
    posts: Sequence[tuple[str, str | None, str]],
    video: GrowingVideo,
    problem: str,
    *,
    noisy: bool,
) -> dict[str, Any]:
    """What was seen, and what of it must hold.

    Args:
        run: The run, at its end.
        planned: How many outages there were to be.
        outages: Those that there were.
        posts: State, grade and message of each post to the webhook.
        video: The video that the run wrote.
        problem: What ended it early; empty where nothing did.
        noisy: Packets were lost all the time, so that states came and went with them.
    """
    verdict = Verdict()
    verdict.equal("ended early", problem, "")
    verdict.equal("outages", len(outages), planned)
    waits = [outage.flows_after for outage in outages]
    known = [wait for wait in waits if wait is not None]
    verdict.equal("returns without a frame", len(waits) - len(known), 0)
    if known:
        verdict.at_most("slowest return, s", max(known), SOON)
    _judge_messages(verdict, run.changes, outages, posts, noisy)
    _judge_end(verdict, run, outages)
    whole = _judge_video(verdict, run, video)
    return {
        "failed": verdict.failed,
        "checks": verdict.checks,
        "frames": len(run.frames),
        "frames_without_number": sum(frame.number is None for frame in run.frames),
        "median_return_s": round(statistics.median(known), 3) if known else None,
        "outages": [
            {
                "kind": outage.kind,
                "away_s": round((outage.returned_ns - outage.began_ns) / NS_PER_S, 3),
                "flows_after_s": None if outage.flows_after is None else round(outage.flows_after, 3),
                "told": told,
            }
            for outage, told in zip(outages, _told_of(run.changes, outages), strict=True)
        ],
        "changes": [_change(change, run.frames) for change in run.changes],
        "longest_gaps_ms": _longest_gaps_ms(run.frames),
        "video": whole,
        "copies": video.copies,
        "report": run.report,
    }


def _judge_messages(
    verdict: Verdict,
    changes: Sequence[NotedChange],
    outages: Sequence[Outage],
    posts: Sequence[tuple[str, str | None, str]],
    noisy: bool,
) -> None:
    states = [change.state for change in changes if change.kind == "state"]
    grades = [change.grade for change in changes if change.kind == "grade"]
    repeated = sum(a == b for a, b in [*pairwise(states), *pairwise(grades)])
    verdict.equal("messages of no change", repeated, 0)
    told = [(change.state, change.grade, change.message) for change in changes if change.kind != "sink"]
    verdict.equal("the webhook was told the same", list(posts) == told, True)
    kinds = [outage.kind for outage in outages]
    wrong = [
        f"{number}: {kind}: {told}"
        for number, (kind, told) in enumerate(zip(kinds, _told_of(changes, outages), strict=True))
        if not (noisy or re.fullmatch(TOLD[kind], told))
    ]
    verdict.equal("outages told otherwise", wrong, [])


def _judge_end(verdict: Verdict, run: WatchedRun, outages: Sequence[Outage]) -> None:
    states = [change.state for change in run.changes if change.kind == "state"]
    verdict.equal("last states", states[-2:], ["live", "ended"])
    verdict.equal("there are frames and a report", bool(run.frames and run.report), True)
    if not (run.frames and run.report):
        return
    [source] = run.report["sources"]
    verdict.equal("error of the run", run.report["error"], None)
    lost = states.count("lost")
    verdict.equal("reconnects", source["reconnects"], lost)
    kills = sum(outage.kind == "kill" for outage in outages)
    verdict.equal("kills told as lost at least", lost >= kills, True)
    recent = [frame for frame in run.frames if frame.sink_ns >= run.frames[-1].sink_ns - 60 * NS_PER_S]
    covered = max((recent[-1].sink_ns - recent[0].sink_ns) / NS_PER_S, 0.001)
    # the sink sees a little less than the source gives
    rates = [share * (recent[-1].position - recent[0].position) / covered for share in (0.95, 1.0, 1.05)]
    fitting = sorted({grade_of(lost, source["stalls"], fps, source["fps"]) for fps in rates})
    verdict.checks["grade"] = {"value": source["grade"], "expected": fitting, "holds": source["grade"] in fitting}


def _judge_video(verdict: Verdict, run: WatchedRun, video: GrowingVideo) -> dict[str, Any]:
    whole = plays(video.path) if video.path.exists() else {"frames": 0, "damaged": 0, "grows": False, "problem": "none"}
    left_out = next((one["dropped"] for one in run.report.get("sinks", ()) if one["wrote"]), 0)
    fewest = len(run.frames) - left_out
    most = fewest + _most_stand_ins(run.changes)
    holds = fewest <= whole["frames"] <= most
    verdict.checks["frames of the video"] = {"value": whole["frames"], "expected": [fewest, most], "holds": holds}
    every = [whole, *video.copies]
    for name, good in (("damaged", 0), ("grows", True), ("problem", "")):
        verdict.equal(f"video and copies: {name}", [one[name] for one in every if one[name] != good], [])
    if video.copies:
        verdict.at_most("frames that a copy lacks", max(one["behind"] for one in video.copies), MOST_BEHIND)
    return whole | {"left_out": left_out}


def _most_stand_ins(changes: Sequence[NotedChange]) -> int:
    """Pictures that the video may hold for the camera while it is away; a few more for each time at its ends."""
    most, began_ns = 0, None
    for change in changes:
        if change.kind != "state":
            continue
        if change.state in AWAY:
            began_ns = began_ns or change.unix_ns
        elif began_ns is not None and change.state in ("live", "ended"):
            most += int((change.unix_ns - began_ns) / NS_PER_S / STAND_IN_EVERY) + MORE_STAND_INS
            began_ns = None
    return most


def _told_of(changes: Sequence[NotedChange], outages: Sequence[Outage]) -> list[str]:
    """The states that were told from the start of each outage to that of the next, or to the end of the run."""
    bounds = [*(outage.began_ns for outage in outages), time.time_ns()]
    states = [change for change in changes if change.kind == "state" and change.state != "ended"]
    return ["".join(f"{one.state} " for one in states if a <= one.unix_ns < b) for a, b in pairwise(bounds)]


def _change(change: NotedChange, frames: Sequence[NotedFrame]) -> list[Any]:
    start = frames[0].sink_ns if frames else change.unix_ns
    what = change.grade if change.kind == "grade" else change.state
    return [round((change.unix_ns - start) / NS_PER_S, 2), change.kind, what, change.message]


def _longest_gaps_ms(frames: Sequence[NotedFrame]) -> list[int]:
    gaps = sorted((b.sink_ns - a.sink_ns for a, b in pairwise(frames)), reverse=True)
    return [round(gap / NS_PER_MS) for gap in gaps[:40]]
