from __future__ import annotations

import dataclasses
import errno
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from fcn_edge.errors import MachineError, UsageError
from fcn_edge.io.images import read_image, read_labels, write_png
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays, SinkContext, checked_sinks, open_sink
from fcn_edge.runtime.sources import open_source
from fcn_edge.testing.engine import fake_spec

MakeResult = Callable[..., Result]
CONTEXT = SinkContext(Overlays(), fps=12.5)
SINGLE = SinkContext(Overlays(), single=True)


def names_in(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


class TestMaskFolder:
    @pytest.mark.parametrize("text", ["masks", "masks/", "deep/er/masks", "v1.2/"])
    def test_holds_a_png_of_class_ids_a_frame(self, tmp_path: Path, make_result: MakeResult, text: str) -> None:
        folder = f"{tmp_path}/{text}"
        with open_sink(folder, CONTEXT) as sink:
            sink.write(make_result(0))
            sink.write(make_result(1, name="photo"))
        assert names_in(folder) == ["000000.png", "photo.png"]
        assert np.array_equal(read_labels(Path(folder) / "photo.png"), make_result().segmentation.labels)

    def test_may_be_a_folder_with_a_suffix_that_is_there(self, tmp_path: Path, make_result: MakeResult) -> None:
        (tmp_path / "run.mp4").mkdir()
        with open_sink(str(tmp_path / "run.mp4"), CONTEXT) as sink:
            sink.write(make_result())
        assert names_in(tmp_path / "run.mp4") == ["000000.png"]

    def test_replaces_masks_of_a_run_and_no_other_files(self, tmp_path: Path, make_result: MakeResult) -> None:
        for _ in range(2):
            with open_sink(str(tmp_path / "masks"), CONTEXT) as sink:
                sink.write(make_result(0))
        drawn = tmp_path / "masks" / "photo.png"
        write_png(drawn, make_result().segmentation.labels)
        before = drawn.read_bytes()
        with open_sink(str(tmp_path / "masks"), CONTEXT) as sink:
            with pytest.raises(UsageError, match=r"photo\.png is there, and no run of fcn-edge wrote it"):
                sink.write(make_result(1, name="photo"))
            assert sink.wrote == ()
        assert drawn.read_bytes() == before

    def test_on_a_full_disk(self, tmp_path: Path, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(path: Path, content: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        sink = open_sink(str(tmp_path / "masks"), CONTEXT)
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(MachineError, match="full"), sink:
            sink.write(make_result())
        assert names_in(tmp_path / "masks") == []

    def test_where_a_file_is(self, tmp_path: Path) -> None:
        (tmp_path / "masks").write_text("a file")
        for place in (tmp_path / "masks", "/dev/null"):
            with pytest.raises(UsageError, match=f"{place} cannot be made: a file, a pipe or a device has that name"):
                open_sink(str(place), CONTEXT)
        with pytest.raises(UsageError, match="cannot be made"):
            open_sink(str(tmp_path / "masks" / "below"), CONTEXT)

    def test_is_not_the_folder_of_the_source(self, tmp_path: Path, write_image: Callable[..., Path]) -> None:
        write_image(tmp_path / "a.png")
        with open_source(tmp_path) as source, pytest.raises(UsageError, match="holds what the source reads"):
            open_sink(f"{tmp_path}/.", SinkContext(Overlays(), reads=source.files))

    def test_is_not_the_folder_of_links_to_the_source(self, tmp_path: Path, write_image: Callable[..., Path]) -> None:
        for folder in ("real", "links", "more"):
            (tmp_path / folder).mkdir()
        write_image(tmp_path / "real/a.png")
        for folder in ("links", "more"):
            (tmp_path / folder / "a.png").symlink_to("../real/a.png")
        with open_source(tmp_path / "links") as source:
            for folder in ("links", "real", "more"):
                with pytest.raises(UsageError, match="holds what the source reads"):
                    open_sink(str(tmp_path / folder), SinkContext(Overlays(), reads=source.files))
        assert (tmp_path / "links/a.png").is_symlink()

    def test_is_told_only_where_a_mask_was_written(
        self, tmp_path: Path, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with open_sink(str(tmp_path / "masks"), CONTEXT) as sink:
            assert sink.wrote == ()
            with monkeypatch.context() as full:
                full.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
                with pytest.raises(MachineError):
                    sink.write(make_result())
            assert sink.wrote == ()
            sink.write(make_result())
            assert sink.wrote == (tmp_path / "masks",)


class TestImage:
    def test_is_told_only_where_it_was_written(self, tmp_path: Path, make_result: MakeResult) -> None:
        (tmp_path / "out.png").write_text("of an earlier run")
        with open_sink(str(tmp_path / "out.png"), SINGLE) as sink:
            assert sink.wrote == ()
            sink.write(make_result())
            assert sink.wrote == (tmp_path / "out.png",)

    @pytest.mark.parametrize("suffix", [".png", ".bmp", ".PNG"])
    def test_is_the_overlay(self, tmp_path: Path, make_result: MakeResult, suffix: str) -> None:
        path = tmp_path / f"out{suffix}"
        with open_sink(str(path), SINGLE) as sink:
            sink.write(make_result(5))
        assert np.array_equal(read_image(path), make_result(5).segmentation.overlay(0.5))

    def test_is_not_for_many_frames(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="many frames"):
            open_sink(str(tmp_path / "out.png"), CONTEXT)


class TestSeveral:
    def test_under_two_names_are_one(self, tmp_path: Path) -> None:
        (tmp_path / "out.mp4").touch()
        (tmp_path / "hard.mp4").hardlink_to(tmp_path / "out.mp4")
        (tmp_path / "link.mp4").symlink_to("out.mp4")
        (tmp_path / "there").symlink_to(".")
        one = str(tmp_path / "out.mp4")
        for other in (
            f"file://{one}",
            f"{one}#encoder=libx264",
            *(f"{tmp_path}/{name}" for name in ("hard.mp4", "link.mp4", "there/out.mp4", "./there/./out.mp4")),
        ):
            with pytest.raises(UsageError, match="A SINK is named twice"):
                checked_sinks([one, "-", other])
        given = [one, f"{tmp_path}/other.mp4", f"{tmp_path}/masks", "-", "display", "null:"]
        assert checked_sinks(given) == given


class TestJsonLines:
    def test_one_line_per_frame(self, make_result: MakeResult, capsys: pytest.CaptureFixture[str]) -> None:
        with open_sink("-", CONTEXT) as sink:
            sink.write(make_result(4))
            sink.write(make_result(5, name="photo"))
        first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
        assert (first["index"], first["name"], first["latency_ms"]) == (4, "000004", 5.0)
        assert (first["source"], first["time"], first["captured_ns"]) == ("drive.mp4", 1.0, 7)
        assert second["name"] == "photo"
        classes = fake_spec().classes
        assert first["shares"][classes[3]] == first["shares"][classes[0]] == 0.5
        assert sum(first["shares"].values()) == 1

    def test_the_age_counts_from_the_capture(
        self, make_result: MakeResult, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.monotonic_ns", lambda: 12_345_678)  # the frame was captured at 0
        with open_sink("-", CONTEXT) as sink:
            sink.write(make_result())
        assert json.loads(capsys.readouterr().out)["age_ms"] == 12.346

    def test_no_time_is_null(self, make_result: MakeResult, capsys: pytest.CaptureFixture[str]) -> None:
        result = make_result()
        with open_sink("-", CONTEXT) as sink:
            sink.write(dataclasses.replace(result, frame=dataclasses.replace(result.frame, time=None)))
        assert json.loads(capsys.readouterr().out)["time"] is None

    def test_names_that_are_not_utf8(self, capsys: pytest.CaptureFixture[str], make_result: MakeResult) -> None:
        with open_sink("-", CONTEXT) as sink:
            sink.write(make_result(name=os.fsdecode(b"in\xfe")))
        assert json.loads(capsys.readouterr().out)["name"] == "in\\udcfe"


class TestDisplay:
    @pytest.fixture
    def window(self, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        """A screen that shows a window, whose next key may be set."""
        state = SimpleNamespace(shown=[], key=-1, visible=1.0, destroyed=False)
        monkeypatch.setenv("DISPLAY", ":7")
        monkeypatch.setattr(cv2, "namedWindow", lambda *_: None, raising=False)
        monkeypatch.setattr(cv2, "imshow", lambda title, image: state.shown.append(image), raising=False)
        monkeypatch.setattr(cv2, "waitKey", lambda delay: state.key, raising=False)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: state.visible, raising=False)
        monkeypatch.setattr(cv2, "destroyAllWindows", lambda: setattr(state, "destroyed", True), raising=False)
        return state

    def test_shows_overlays_until_a_key_or_the_window_is_closed(
        self, window: SimpleNamespace, make_result: MakeResult
    ) -> None:
        with open_sink("display", CONTEXT) as sink:
            sink.write(make_result())
            assert not sink.ended
            window.key = ord("x")
            sink.write(make_result())
            assert not sink.ended
            window.key = 27
            sink.write(make_result())
            assert sink.ended
        assert window.destroyed
        assert window.shown[0].shape == (48, 64, 3)
        with open_sink("display", CONTEXT) as sink:
            window.key, window.visible = -1, 0.0
            sink.write(make_result())
            assert sink.ended

    def test_without_a_screen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        with pytest.raises(MachineError, match="no screen"):
            open_sink("display", CONTEXT)

    def test_with_an_opencv_without_windows(self, window: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_windows(*_: Any) -> None:
            raise cv2.error("The function is not implemented")

        monkeypatch.setattr(cv2, "namedWindow", no_windows, raising=False)
        with pytest.raises(MachineError, match="without windows") as caught:
            open_sink("display", CONTEXT)
        assert "opencv-python" in caught.value.fix


@pytest.mark.parametrize("text", ["null:", "null"])
def test_null_takes_everything(text: str, make_result: MakeResult) -> None:
    with open_sink(text, CONTEXT) as sink:
        sink.write(make_result())
    assert not Path(text).exists()


def test_an_overlay_is_drawn_once_for_all_sinks(make_result: MakeResult) -> None:
    overlays = Overlays(alpha=1.0)
    first, second = make_result(0), make_result(0)
    assert overlays(first) is overlays(first)
    assert overlays(first) is not overlays(second)
    assert np.array_equal(overlays(first), first.segmentation.colored())


class TestRefused:
    @pytest.mark.parametrize("text", ["rtmp://user:secret@host/out", "http://:8080", "webrtc://x"])
    def test_network_sinks(self, text: str) -> None:
        with pytest.raises(UsageError, match="this version does not write") as caught:
            open_sink(text, CONTEXT)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("text", ["out.txt", "out.ogv", "out.onnx", "out.gif"])
    def test_suffixes_of_other_things(self, text: str) -> None:
        with pytest.raises(UsageError, match="neither a video's nor an image's"):
            open_sink(text, CONTEXT)

    def test_nothing(self) -> None:
        with pytest.raises(UsageError, match="empty"):
            open_sink("", CONTEXT)

    def test_a_file_in_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no folder") as caught:
            open_sink(f"{tmp_path}/no; reboot/out.mp4", CONTEXT)
        assert caught.value.fix == f"mkdir -p '{tmp_path}/no; reboot'"

    def test_a_folder_that_may_not_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(**_: object) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        (tmp_path / "masks").mkdir()
        monkeypatch.setattr(tempfile, "TemporaryFile", refused)
        for text in ("out.mp4", "masks"):
            with pytest.raises(UsageError, match="could not be written: Read-only file system"):
                open_sink(str(tmp_path / text), CONTEXT)

    @pytest.mark.parametrize("name", ["out.mp4", "out.png", "out.mkv"])
    def test_pipes_which_would_be_waited_for_or_replaced(self, tmp_path: Path, name: str) -> None:
        os.mkfifo(tmp_path / name)
        with pytest.raises(UsageError, match="is a named pipe; a file was expected"):
            open_sink(str(tmp_path / name), SINGLE)
        assert (tmp_path / name).is_fifo()

    @pytest.mark.parametrize("text", ["engine", "engine/masks", "engine/out.mp4", "engine/out.png"])
    def test_places_in_an_engine(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "engine").mkdir()
        (tmp_path / "engine/engine.json").write_text('{"model_digest": ""}')
        with pytest.raises(UsageError, match="lies in the engine"):
            open_sink(str(tmp_path / text), SINGLE)
        assert names_in(tmp_path / "engine") == ["engine.json"]

    def test_labels_beside_images(self, tmp_path: Path, write_image: Callable[..., Path]) -> None:
        for name in ("images", "labels"):
            (tmp_path / name).mkdir()
            write_image(tmp_path / name / "a.png")
        with open_source(tmp_path / "images") as source:
            for text in ("labels", "labels/a.png"):
                with pytest.raises(UsageError, match="belongs to the data set"):
                    open_sink(str(tmp_path / text), SinkContext(Overlays(), reads=source.files, single=True))

    def test_the_source_under_another_name(self, video: Path) -> None:
        before = video.read_bytes()
        (video.parent / "hard.mp4").hardlink_to(video)
        (video.parent / "link.mp4").symlink_to(video.name)
        for name in ("hard.mp4", "link.mp4"):
            with open_source(video) as source, pytest.raises(UsageError, match="source itself"):
                open_sink(str(video.parent / name), SinkContext(Overlays(), reads=source.files))
            with open_source(video.parent / name) as source, pytest.raises(UsageError, match="source itself"):
                open_sink(str(video), SinkContext(Overlays(), reads=source.files))
        assert video.read_bytes() == before

    def test_names_that_no_file_can_have(self) -> None:
        for name in ("out\0.mp4", "masks\0/"):
            with pytest.raises(UsageError, match="holds a NUL"):
                checked_sinks(name)

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("around", "cannot be made"),
            ("around/", "cannot be made"),
            ("around/out.mp4", "There is no folder"),
            ("loop.mp4", "leads to itself"),
            ("loop.png", "leads to itself"),
        ],
    )
    def test_links_that_lead_in_a_circle(self, tmp_path: Path, name: str, problem: str) -> None:
        (tmp_path / "around").symlink_to("and-around")
        (tmp_path / "and-around").symlink_to("around")
        for loop in ("loop.mp4", "loop.png"):
            (tmp_path / loop).symlink_to(loop)
        [text] = checked_sinks(f"{tmp_path}/{name}")
        assert isinstance(text, str)
        with pytest.raises(UsageError, match=problem):
            open_sink(text, SINGLE)

    def test_the_source_itself(self, video: Path) -> None:
        with open_source(video) as source, pytest.raises(UsageError, match="source itself"):
            open_sink(
                f"{video.parent}/../{video.parent.name}/{video.name}", SinkContext(Overlays(), reads=source.files)
            )
