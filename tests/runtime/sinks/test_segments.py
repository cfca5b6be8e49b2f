from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest

from fcn_edge.errors import MachineError, UsageError
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sinks import Overlays, SinkContext, check_series, open_sink
from fcn_edge.runtime.sinks.segments import Segments
from fcn_edge.testing.engine import FakeEngine

MakeResult = Callable[..., Result]
CONTEXT = SinkContext(Overlays(), fps=25, segment=2.0)


@pytest.fixture
def noisy(make_result: MakeResult) -> Callable[[int], Result]:
    """A result whose picture takes some kilobytes, 25 a second."""

    def make(index: int) -> Result:
        result = make_result(0)
        image = np.random.default_rng(index).integers(0, 256, result.frame.image.shape, np.uint8)
        segmentation = dataclasses.replace(result.segmentation, image=image)
        frame = dataclasses.replace(result.frame, index=index, time=100 + index / 25)
        return dataclasses.replace(result, frame=frame, segmentation=segmentation)

    return make


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        if path.suffix == ".avi":  # which has no pts: PyAV invents them; no frame is coded out of order
            return [float(frame.dts * frame.time_base) for frame in container.decode(video=0)]
        return [frame.time for frame in container.decode(video=0)]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def size_of(folder: Path) -> int:
    """Bytes of the series at one moment: another thread writes and deletes meanwhile."""
    while True:
        before = names_in(folder)
        with suppress(FileNotFoundError):
            size = sum((folder / name).stat().st_size for name in before if re.fullmatch(r"out-\d{6}\.mp4", name))
            if names_in(folder) == before:
                return size


class TestFiles:
    @pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
    def test_each_starts_at_0_and_plays_by_itself(
        self, tmp_path: Path, noisy: Callable[[int], Result], suffix: str
    ) -> None:
        with open_sink(str(tmp_path / f"out{suffix}"), CONTEXT) as sink:
            for index in range(120):
                sink.write(noisy(index))
        assert names_in(tmp_path) == [f"out-00000{number}{suffix}" for number in range(3)]
        assert [path.name for path in sink.wrote] == names_in(tmp_path)
        for path, count in zip(sink.wrote, [50, 50, 20], strict=True):
            assert times_of(path) == pytest.approx([index / 25 for index in range(count)], abs=0.001)

    def test_of_a_later_run_follow_and_replace_nothing(self, tmp_path: Path, noisy: Callable[[int], Result]) -> None:
        (tmp_path / "out-000041.mp4").write_bytes(b"older")
        with open_sink(str(tmp_path / "out.mp4"), CONTEXT) as sink:
            sink.write(noisy(0))
        assert names_in(tmp_path) == ["out-000041.mp4", "out-000042.mp4"]
        assert (tmp_path / "out-000041.mp4").read_bytes() == b"older"
        assert [path.name for path in sink.wrote] == ["out-000042.mp4"]

    def test_are_made_by_a_run(self, tmp_path: Path) -> None:
        with Segmenter(FakeEngine()) as segment:
            report = run("synthetic://street?size=64x96&frames=25&fps=10", segment, tmp_path / "out.mp4", segment=1.0)
        (sink,) = report.sinks
        assert sink.wrote == tuple(str(tmp_path / f"out-00000{number}.mp4") for number in range(3))
        assert [len(times_of(Path(path))) for path in sink.wrote] == [10, 10, 5]


class TestKeep:
    LIMIT = 200_000

    def test_never_takes_more_and_deletes_the_oldest(self, tmp_path: Path, noisy: Callable[[int], Result]) -> None:
        largest = 0
        with open_sink(str(tmp_path / "out.mp4"), dataclasses.replace(CONTEXT, keep=self.LIMIT)) as sink:
            for index in range(500):
                sink.write(noisy(index))
                largest = max(largest, size_of(tmp_path))
        names = names_in(tmp_path)
        assert self.LIMIT / 4 < largest <= self.LIMIT
        assert "out-000000.mp4" not in names
        assert [path.name for path in sink.wrote] == names
        assert names == sorted(names)[-len(names) :]
        for path in sink.wrote:
            assert times_of(path)[0] == 0

    def test_counts_and_deletes_those_of_earlier_runs_and_nothing_else(
        self, tmp_path: Path, noisy: Callable[[int], Result]
    ) -> None:
        others = ["out.mp4", "out-1.mp4", "out-000000.mkv", "out-000000.mp4.txt", "xout-000000.mp4", "out-00000a.mp4"]
        for name in [*others, "out-000000.mp4", "out-000001.mp4"]:
            (tmp_path / name).write_bytes(b"x" * 150_000)
        (tmp_path / "elsewhere").write_bytes(b"x")
        (tmp_path / "out-000002.mp4").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "out-000003.mp4").mkdir()
        with open_sink(str(tmp_path / "out.mp4"), dataclasses.replace(CONTEXT, keep=self.LIMIT)) as sink:
            for index in range(100):
                sink.write(noisy(index))
        left = names_in(tmp_path)
        assert {*others, "elsewhere", "out-000002.mp4", "out-000003.mp4"} < set(left)
        assert not {"out-000000.mp4", "out-000001.mp4"} & set(left)

    def test_never_deletes_what_the_run_reads(self, tmp_path: Path, noisy: Callable[[int], Result]) -> None:
        source = tmp_path / "out-000000.mp4"
        source.write_bytes(b"x" * 500_000)
        context = dataclasses.replace(CONTEXT, keep=self.LIMIT, reads=frozenset({source.resolve()}))
        with open_sink(str(tmp_path / "out.mp4"), context) as sink:
            for index in range(60):
                sink.write(noisy(index))
        assert source.stat().st_size == 500_000
        assert source not in sink.wrote

    def test_says_what_cannot_be_deleted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "out-000000.mp4").write_bytes(b"x" * 100)
        segments = Segments(tmp_path / "out.mp4", keep=100)
        assert segments.next_path().name == "out-000001.mp4"

        def refused(self: Path, missing_ok: bool = False) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "unlink", refused)
        with pytest.raises(MachineError, match=r"out-000000\.mp4 cannot be deleted.*Permission denied"):
            segments.make_room(1)

    def test_starts_a_new_file_before_one_takes_all(self, tmp_path: Path) -> None:
        segments = Segments(tmp_path / "out.mp4", keep=100)
        assert not segments.is_large(49)
        assert segments.is_large(50)
        assert not Segments(tmp_path / "out.mp4").is_large(1 << 60)


class TestRefused:
    @pytest.mark.parametrize(
        ("segment", "keep", "sinks", "said"),
        [
            (None, 1 << 30, ["out.mp4"], "only where it is cut into segments"),
            (0.5, None, ["out.mp4"], "A segment lasts 1 s"),
            (float("nan"), None, ["out.mp4"], "A segment lasts 1 s"),
            (float("inf"), None, ["out.mp4"], "A segment lasts 1 s"),
            (60.0, 1000, ["out.mp4"], "1 MB at least"),
            (60.0, None, ["masks/", "null:", "out.png"], "no video to cut"),
            (60.0, None, [], "no video to cut"),
        ],
    )
    def test_what_makes_no_sense(self, segment: float | None, keep: int | None, sinks: list[str], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            check_series([*sinks], segment, keep)

    def test_nothing_else(self) -> None:
        check_series(["masks/"], None, None)
        check_series(["masks/", "file:///tmp/out.MP4"], 600.0, 20 * 10**9)

    @pytest.fixture
    def segment(self) -> Iterator[Segmenter]:
        with Segmenter(FakeEngine()) as segmenter:
            yield segmenter

    def test_by_the_run_before_it_connects(self, segment: Segmenter) -> None:
        with pytest.raises(UsageError, match="no video to cut"):
            run("nothing.mp4", segment, "masks/", segment=600.0)
