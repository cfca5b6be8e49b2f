from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from fcn_edge.errors import UsageError
from fcn_edge.io.outputs import Inputs, check_folder, check_new_folder, check_outputs, refuse_kept


def touched(path: Path, content: str = "precious") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


class TestInputs:
    def test_have_all_their_names(self, tmp_path: Path) -> None:
        real = touched(tmp_path / "real/a.png")
        (tmp_path / "links").mkdir()
        link = tmp_path / "links/b.png"
        link.symlink_to(real)
        (tmp_path / "hard.png").hardlink_to(real)
        (tmp_path / "elsewhere").symlink_to("links")
        inputs = Inputs([link])
        for name in ("real/a.png", "links/b.png", "hard.png", "elsewhere/b.png", "real/../links/b.png"):
            assert inputs.has(tmp_path / name), name
        assert not inputs.has(touched(tmp_path / "real/other.png"))
        assert not inputs.has(tmp_path / "links/a.png")

    def test_lie_in_the_folders_of_links_and_of_what_these_lead_to(self, tmp_path: Path) -> None:
        real = touched(tmp_path / "real/a.png")
        for folder in ("links", "other links", "hard", "none"):
            (tmp_path / folder).mkdir()
        (tmp_path / "links/b.png").symlink_to(real)
        (tmp_path / "other links/c.png").symlink_to(real)
        (tmp_path / "hard/d.png").hardlink_to(real)
        inputs = Inputs([tmp_path / "links/b.png"])
        for folder in ("links", "real", "other links", "hard"):
            assert inputs.lie_in(tmp_path / folder), folder
            with pytest.raises(UsageError, match="holds what the source reads"):
                check_folder(tmp_path / folder, inputs)
        for folder in ("none", "absent"):
            assert not inputs.lie_in(tmp_path / folder)
            check_folder(tmp_path / folder, inputs)


class TestFiles:
    def test_that_can_be_written_stay_as_they_are(self, tmp_path: Path) -> None:
        touched(tmp_path / "old.json", "old")
        check_outputs({"one": tmp_path / "old.json", "other": tmp_path / "new.json"}, {"input": tmp_path / "absent"})
        assert [path.name for path in tmp_path.iterdir()] == ["old.json"]
        assert (tmp_path / "old.json").read_text() == "old"

    @pytest.mark.parametrize(("name", "said"), [(".", "is a directory"), ("absent/out.txt", "there is no directory")])
    def test_places_for_none(self, tmp_path: Path, name: str, said: str) -> None:
        with pytest.raises(UsageError, match=said):
            check_outputs({"table": tmp_path / name}, {})

    def test_where_nothing_may_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(**_: object) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(tempfile, "TemporaryFile", refused)
        with pytest.raises(UsageError, match=r"out\.txt could not be written: Read-only file system"):
            check_outputs({"table": tmp_path / "out.txt"}, {})
        with pytest.raises(UsageError, match="could not be written: Read-only file system"):
            check_new_folder(tmp_path / "deep/er")

    def test_a_name_that_no_file_can_have(self, tmp_path: Path) -> None:
        for check in (lambda path: check_outputs({"table": path}, {}), check_new_folder, refuse_kept):
            with pytest.raises(UsageError, match=r"could not be written: File name too long"):
                check(tmp_path / ("a" * 300))

    def test_over_what_is_read_by_any_name(self, tmp_path: Path) -> None:
        net = touched(tmp_path / "net.onnx")
        (tmp_path / "hard.onnx").hardlink_to(net)
        (tmp_path / "link.onnx").symlink_to("net.onnx")
        (tmp_path / "there").symlink_to(".")
        for name in ("net.onnx", "hard.onnx", "link.onnx", "there/net.onnx", "./there/link.onnx"):
            with pytest.raises(UsageError, match="is the checkpoint and would be replaced by the ONNX file"):
                check_outputs({"ONNX file": tmp_path / name}, {"table": tmp_path / "t", "checkpoint": net})
        assert net.read_text() == "precious"

    def test_two_in_one_place(self, tmp_path: Path) -> None:
        (tmp_path / "there").symlink_to(".")
        with pytest.raises(UsageError, match="is the page and would be replaced by the result"):
            check_outputs({"page": tmp_path / "r", "result": tmp_path / "there/r"}, {})

    def test_a_pipe_is_refused_at_once(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.json")
        with pytest.raises(UsageError, match="is a named pipe"):
            check_outputs({"table": tmp_path / "pipe.json"}, {})


class TestWhatBelongsTogether:
    def test_an_engine(self, tmp_path: Path) -> None:
        touched(tmp_path / "engine/engine.json", '{"digest": "0", "model_digest": "1"}')
        (tmp_path / "current").symlink_to("engine")
        for name in ("engine", "engine/m", "engine/m/deep", "engine/o.mp4", "current/o.mp4", "engine/engine.json"):
            with pytest.raises(UsageError, match="lies in the engine"):
                refuse_kept(tmp_path / name)
        refuse_kept(tmp_path / "beside.mp4")

    def test_a_file_of_that_name_makes_no_engine(self, tmp_path: Path) -> None:
        touched(tmp_path / "engine.json", '{"physics": "box2d"}')
        refuse_kept(tmp_path / "out.mp4")

    @pytest.mark.parametrize("part", ["images", "labels"])
    def test_images_and_labels_of_a_data_set(self, tmp_path: Path, part: str) -> None:
        for name in ("images", "labels"):
            (tmp_path / "train" / name).mkdir(parents=True)
        folder = tmp_path / "train" / part
        (tmp_path / "link").symlink_to(folder)
        refuse_kept(folder)  # empty: masks may become its first labels
        touched(folder / "a.png")
        for place in (folder, tmp_path / "link", folder / "a.png"):
            with pytest.raises(UsageError, match=f"belongs to the data set .*: its {part} would be replaced"):
                refuse_kept(place)
        refuse_kept(folder / "new.png")

    def test_folders_of_such_names_alone(self, tmp_path: Path) -> None:
        touched(tmp_path / "labels/a.png")
        refuse_kept(tmp_path / "labels")


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    touched(tmp_path / "file")
    with pytest.raises(UsageError, match="could not be written: Not a directory"):
        check_new_folder(tmp_path / "file/new")
    check_new_folder(tmp_path / "new/er")
    assert not (tmp_path / "new").exists()
