"""A result in lines for people, and what in it is not as it should be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["failures", "lines"]

Row = dict[str, Any]


def failures(result: Row) -> list[str]:
    """A sentence for each kernel that disagrees, each target that is missed and each engine that fails."""
    return list(_failures(result))


def _failures(result: Row) -> Iterator[str]:
    for name, provider in result["providers"].items():
        if "failed" in provider:
            yield f"{name}: {provider['failed']}"
        for row in provider.get("agreement", ()):
            if not row["agree"]:
                yield f"{name}: {row['kernel']} disagrees on {row['input']} ({_difference(row)})."
        for row in provider.get("speed", {}).get("kernels", ()):
            if row.get("met") is False:
                yield (
                    f"{name}: {row['kernel']} takes {row['times_copy']} times a copy on {row['input']}; at most "
                    f"{row['target_times_copy']} was expected."
                )
        for row in provider.get("sessions", ()):
            if row.get("agree") is False:
                reason = row.get("failed") or f"{row['wrong_pixels']} wrong pixels."
                yield f"{name}: a session {_graph(row['graph'])}: {reason}"
    for row in result["engines"]:
        if row.get("agree") is False:
            yield f"{row['backend']} {row['precision']}: {_engine_failure(row)}"


def lines(result: Row) -> Iterator[str]:
    """The result for people."""
    gpu = result["gpu"]
    capability, driver = (".".join(map(str, gpu[key])) for key in ("capability", "driver"))
    yield f"{gpu['name']} ({capability}), driver for CUDA {driver}"
    for name, provider in result["providers"].items():
        if "agreement" not in provider:
            yield f"{name}: {_reason(provider)}"
            continue
        rows = provider["agreement"]
        yield f"{provider['library']}: {sum(row['agree'] for row in rows)} of {len(rows)} comparisons agree"
        yield f"  copy on the device: {provider['speed']['copy']['bytes_per_s'] / 1e9:.1f} GB/s"
        for row in provider["speed"]["kernels"]:
            target = f" (at most {row['target_times_copy']})" if "target_times_copy" in row else ""
            height, width = row["frame"]
            yield (
                f"  {row['kernel']:15} {row['us_a_frame']:9.2f} us a frame, {row['bytes_per_s'] / 1e9:.1f} GB/s, "
                f"{row['times_copy']:.2f} times a copy{target}: {row['input']}, {height}x{width}"
            )
        for row in provider["sessions"]:
            yield f"  session {_graph(row['graph'])}: {_session(row)}"
    for row in result["engines"]:
        name = f"{row['backend']} {row.get('precision', '')}".rstrip()
        if "speed" not in row:
            yield f"{name}: {_reason(row)}"
            continue
        for kind, speed in row["speed"].items():
            yield (
                f"{name}, {kind}: network {speed['network_ms']:.2f} ms, whole {speed['end_to_end_ms']:.2f} ms"
                f"{_divided(row['gpu_ms'][kind])}; {row['masks'][kind]}"
            )
    yield from result["failures"] or ["Everything agrees."]


def _reason(row: Row) -> str:
    return f"absent: {row['absent']}" if "absent" in row else f"failed: {row['failed']}"


def _engine_failure(row: Row) -> str:
    if "capture_failure" in row:
        return f"frames are not captured into a graph: {row['capture_failure']}."
    return str(row.get("failed") or "; ".join(row["masks"].values()))


def _graph(graph: bool) -> str:
    return "with a graph" if graph else "without a graph"


def _session(row: Row) -> str:
    if "speed" not in row:
        return _reason(row)
    return f"{row['speed']['end_to_end_ms']:.3f} ms a frame{_divided(row['gpu_ms'])}"


def _divided(gpu_ms: Row | None) -> str:
    """What of a frame is spent where; empty on a processor."""
    if gpu_ms is None:
        return ""
    names = {"host_to_device": "H2D", "compute": "compute", "device_to_host": "D2H", "enqueue": "enqueue"}
    told = (f"{name} {'none' if gpu_ms[key] is None else format(gpu_ms[key], '.3f')}" for key, name in names.items())
    return f" ({', '.join(told)})"


def _difference(row: Row) -> str:
    if "wrong_pixels" in row:
        return f"{row['wrong_pixels']} of {row['pixels']} pixels"
    if "gray_levels_apart" in row:
        return f"{row['gray_levels_apart']} gray levels"
    return "it was not found"
