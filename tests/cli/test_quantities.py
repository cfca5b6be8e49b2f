from __future__ import annotations

import click
import pytest

from fcn_edge.cli.quantities import BYTES, DURATION
from fcn_edge.cli.verb import SIZE


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("10min", 600), ("1h", 3600), ("1.5 h", 5400), ("2d", 172_800)],
)
def test_durations(text: str, seconds: float) -> None:
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [("500", 500), ("500MB", 500_000_000), ("20GB", 20 * 10**9), ("20g", 20 * 10**9), ("1.5 GiB", 3 << 29)],
)
def test_sizes(text: str, count: int) -> None:
    assert BYTES.convert(text, None, None) == count


@pytest.mark.parametrize("text", ["", "m", "-1m", "1e3s", "10 parsecs", "10M", "1:30", "nan", "inf"])
def test_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no duration; expected such as 90s"):
        DURATION.convert(text, None, None)


@pytest.mark.parametrize("kind", [BYTES, DURATION, SIZE])
def test_long_values_are_not_repeated_whole(kind: click.ParamType) -> None:
    with pytest.raises(click.BadParameter) as caught:
        kind.convert("1x\n" * 2000, None, None)
    assert len(caught.value.message) < 200
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "20 gallons", "nan"])
def test_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no size of files; expected such as 500MB"):
        BYTES.convert(text, None, None)
