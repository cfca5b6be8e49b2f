"""The page in a browser: on a screen and on a phone, in light and dark, sorted with the mouse and by keyboard."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fcn_edge.bench.report import write_html
from fcn_edge.bench.report.plots.palette import LIGHT
from tests.bench.report.ladder import ladder, unmeasured
from tests.bench_results import bench_row
from tests.chromium import Page, chromium_path, opened

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[3]

HEADING = (
    "[...document.querySelectorAll('table.sortable')[0].tHead.rows[0].cells].find(x => x.textContent.startsWith({}))"
)
VALUES = """
(() => {{ const heading = {heading};
  const rows = [...heading.closest("table").tBodies[0].rows];
  return rows.map(row => row.cells[heading.cellIndex].dataset.value ?? null); }})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = chromium_path()
    if program is None:
        pytest.skip("needs Chromium")
    with opened(program, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def libraries() -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def report(libraries: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    result = ladder(power=True)
    long = bench_row("fcn8s", model="a" * 150, name="b" * 150, milliseconds=70, unstable="c" * 150)
    missing = unmeasured("fcn32s", "absent", "d" * 150).model_copy(update={"name": "e" * 150})
    write_html(result.model_copy(update={"rows": (*result.rows, long, missing), "title": "f" * 150}), path)
    return path


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_overflows_and_nothing_is_complained_of(browser: Page, report: Path, width: int, dark: bool) -> None:
    browser.problems.clear()
    browser.open(report, width, dark)
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert browser.value("innerWidth") == width
    assert browser.value("document.scrollingElement.scrollWidth") <= width
    assert browser.value("matchMedia('(prefers-color-scheme: dark)').matches") is dark
    assert browser.problems == []


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_contrast(browser: Page, report: Path, dark: bool) -> None:
    browser.open(report, 1280, dark)
    read = "getComputedStyle(document.documentElement).getPropertyValue('--{}').trim()"
    colors = {name: browser.value(read.format(name)) for name in LIGHT if name not in ("paper", "rule")}
    paper = browser.value(read.format("paper"))
    assert browser.value("getComputedStyle(document.documentElement).backgroundColor") == rgb(paper)
    for name, color in colors.items():
        assert contrast(color, paper) >= (4.5 if name in ("ink", "soft", "fcn8s") else 3.0), name


def test_a_screen_and_a_phone_have_plots_of_their_own(browser: Page, report: Path) -> None:
    shown = "[...document.querySelectorAll('svg')].filter(x => x.clientWidth > 0).map(x => x.classList[0])"
    browser.open(report, 1280)
    assert browser.value(shown) == ["wide"] * 4
    browser.open(report, 390)
    assert browser.value(shown) == ["narrow"] * 4
    sizes = "Math.min(...[...document.querySelectorAll('svg.narrow text')].map(x => x.getBoundingClientRect().height))"
    assert browser.value(sizes) >= 10


def test_a_click_sorts_and_a_third_one_restores(browser: Page, report: Path) -> None:
    browser.open(report, 1280)
    heading = HEADING.format("'End to end p50'")
    values = VALUES.format(heading=heading)
    suite = browser.value(values)
    states = []
    for _ in range(3):
        browser.value(f"{heading}.querySelector('button').click()")
        states.append((browser.value(f"{heading}.getAttribute('aria-sort')"), browser.value(values)))
    ordered = sorted(suite, key=float)
    assert ordered != suite
    assert states == [("ascending", ordered), ("descending", ordered[::-1]), (None, suite)]


def test_a_key_sorts_and_missing_values_are_last_either_way(browser: Page, report: Path) -> None:
    browser.open(report, 1280)
    heading = HEADING.format("'Memory'")
    browser.value(f"{heading}.querySelector('button').focus()")
    for direction in ("ascending", "descending"):
        browser.press("Enter", "\r")
        assert browser.value(f"{heading}.getAttribute('aria-sort')") == direction
        assert browser.value(VALUES.format(heading=heading))[-1] is None


def test_sorting_one_column_takes_the_mark_off_another(browser: Page, report: Path) -> None:
    browser.open(report, 1280)
    for name in ("'mIoU'", "'Decoder'"):
        browser.value(f"{HEADING.format(name)}.querySelector('button').click()")
    assert browser.value("document.querySelectorAll('[aria-sort]').length") == 1
    assert browser.value(VALUES.format(heading=HEADING.format("'Decoder'")))[0] == "-32"


def test_it_prints(browser: Page, report: Path) -> None:
    browser.open(report, 1280, dark=True)
    assert browser.printed().startswith(b"%PDF")
    assert browser.value("document.querySelector('details.printed').open")
    browser.call(
        "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    assert browser.value("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    browser.call("Emulation.setEmulatedMedia", media="")


def test_another_process_writes_the_same_bytes(libraries: None, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from fcn_edge.bench.report import write_html;"
        "from tests.bench.report.ladder import ladder; write_html(ladder(power=True), Path(sys.argv[1]))"
    )
    report, again = tmp_path / "report.html", tmp_path / "again.html"
    write_html(ladder(power=True), report)
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program, str(again)], check=True, timeout=120, cwd=ROOT, env=environment)
    assert again.read_bytes() == report.read_bytes()


def rgb(color: str) -> str:
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgb({red}, {green}, {blue})"


def contrast(one: str, other: str) -> float:
    """Contrast of two colors by WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
