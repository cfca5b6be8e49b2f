"""The page's content; what a browser makes of it is in ``test_page.py``."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fcn_edge.bench.report import write_html, write_plots
from fcn_edge.bench.report.plots import plots_of
from fcn_edge.errors import MissingExtraError, UsageError
from tests.bench.report.ladder import ladder
from tests.bench_results import bench_result, bench_row

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

HOSTILE = "<script>alert('x')</script>$\\frac{1$\u8def"
VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """The elements of a page, by tag, and whether they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


class Without:
    """Finds nothing, as where no library is installed."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    result = ladder(power=True, title=HOSTILE, unstable="The control moved by 9.3%.")
    foreign = bench_row("fcn8s", encoder="", model=HOSTILE, backend=HOSTILE, name=HOSTILE, milliseconds=70)
    foreign = foreign.model_copy(update={"decoder": ""})
    write_html(result.model_copy(update={"rows": (*result.rows, foreign)}), path)
    return path.read_text(encoding="utf-8")


def plain(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_the_page_shows_rows_notes_and_reasons(text: str) -> None:
    words = plain(text)
    assert "This run is not steady. The control moved by 9.3%." in words
    assert "<dd>The machine was not steady: times differ by more than their intervals show.</dd>" in text
    assert "14 rows measured (1 not steady), 1 recorded, 1 absent, 1 failed" in words
    assert "TensorRT needs an NVIDIA GPU, and this machine has none. Use a Jetson." in words
    assert "Recorded in an earlier run. Taken from results/resnet50.json" in words
    assert "These rows end with the class scores at stride 32" in words
    assert "FCN-8s 91.2% right" in words
    assert "9.13 W" in words
    assert "To repeat it, give fcn-edge bench the same suite and options." in words
    assert (
        "Below the end-to-end p50 is its 96% interval. mIoU: 101 images of camvid val, which show 3 of 4 classes."
        in words
    )
    assert "Lines at the marks are 96% intervals of the medians" in words
    assert "The dashed line joins the rows of this run that no other of them beats in both." in words


def test_a_missing_value_is_a_dash_that_sorts_last(text: str) -> None:
    (row,) = [row for row in re.findall(r"<tr.*?</tr>", text, re.DOTALL) if "camvid-resnet50-fcn8s" in row][:1]
    cells = [plain(cell) for cell in re.findall(r"<t[dh].*?</t[dh]>", row, re.DOTALL)]
    assert "\N{EN DASH}" in cells
    assert re.search(r'<td class="number">\N{EN DASH}</td>', row)


def test_every_element_is_closed_and_every_id_is_there_once(text: str) -> None:
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert sum(tag == "svg" for tag, _ in page.elements) == 8
    for tag, attributes in page.elements:
        if tag == "svg":
            assert attributes["aria-label"]
        if tag == "img":
            assert attributes["alt"]
        for name in ("aria-labelledby", "xlink:href", "clip-path"):
            if name in attributes:
                found = re.search(r"[\w-]+(?=\)?$)", attributes[name] or "")
                assert found is not None
                assert found.group() in ids


def test_one_row_has_no_front_and_one_round_no_interval(tmp_path: Path) -> None:
    write_html(bench_result(bench_row(rounds=1), suite="demo"), tmp_path / "report.html")
    words = plain((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "dashed" not in words
    assert "interval of" not in words
    assert "is its" not in words
    assert "Larger marks are larger inputs." in words
    assert "To repeat it: fcn-edge bench demo" in words


def test_control_characters_do_not_reach_the_page(tmp_path: Path) -> None:
    row = bench_row(model="a\x1b[31mb\x07", name="c\x1b")
    write_html(bench_result(row, bench_row("fcn32s"), title="\x1b]0;d\x07"), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search("[\x00-\x08\x0e-\x1f\x7f]", text)
    assert r"a\x1b[31mb\x07" in text


def test_the_page_loads_nothing(text: str) -> None:
    for tag, attributes in Page(text).elements:
        for name in ("src", "srcset", "href", "xlink:href", "data", "poster"):
            address = attributes.get(name) or "#"
            # links that people may follow are no loads
            assert tag == "a" or address.startswith(("#", "data:")), (tag, address)
    assert "url(" not in re.sub(r"url\(#", "", text)
    assert "@import" not in text


def test_names_are_text_and_neither_markup_nor_mathematics(text: str) -> None:
    assert "<h1>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;$\\frac{1$\u8def</h1>" in text
    assert any("script&gt;$\\frac{1$\u8def" in plot for plot in re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert "<script>alert" not in text


def test_colors_of_plots_follow_the_page(text: str) -> None:
    plots = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert not re.findall(r"#[0-9a-f]{6}\b", "".join(plots))
    assert all("var(--ink)" in plot for plot in plots)


def test_the_same_rows_give_the_same_plot() -> None:
    result = bench_result(bench_row("fcn32s"), bench_row("fcn8s", milliseconds=60))
    one, other = (plots_of(result)[0].svg(narrow=True) for _ in range(2))
    assert one == other


def test_a_run_without_a_single_time_is_a_page_too(tmp_path: Path) -> None:
    result = ladder()
    result = result.model_copy(
        update={"rows": tuple(row for row in result.rows if row.end_to_end_ms is None), "examples": ()}
    )
    write_html(result, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<svg" not in text
    assert "Not measured" in text


def test_plots_are_files_on_white(tmp_path: Path) -> None:
    paths = write_plots(bench_result(bench_row("fcn32s"), bench_row("fcn8s", milliseconds=60)), tmp_path / "plots")
    assert sorted(path.name for path in paths) == [
        f"{name}{suffix}" for name in ("accuracy-latency", "latency", "stages") for suffix in (".png", ".svg")
    ]
    assert all(path.stat().st_size > 1000 for path in paths)
    assert (tmp_path / "plots" / "accuracy-latency.png").read_bytes().startswith(b"\x89PNG")
    assert "#ffffff" in (tmp_path / "plots" / "accuracy-latency.svg").read_text(encoding="utf-8")


def test_what_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="could not be made"):
        write_plots(bench_result(), tmp_path / "file")


def test_a_missing_library_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("jinja2", "matplotlib"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Without()])
    with pytest.raises(MissingExtraError, match=r"pip install 'fcn_edge\[bench\]'"):
        write_html(bench_result(bench_row()), tmp_path / "report.html")
    assert not list(tmp_path.iterdir())
