"""The live page in a real browser, against a stand-in that speaks the server's contract."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("av")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("playwright")

from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tests.waits import until

from .cameras import BITS, BLOCK
from .stand_in import StandIn

pytestmark = pytest.mark.system

LONGEST = 20.0
"""Seconds that anything may take on a machine that is busy."""
SIZES = [(1280, 800), (390, 844)]

STEPS = """async (frames) => {
  const { page } = await import("/static/main.js");
  const [screen] = page.screens.values();
  const found = [];
  let last = null;
  const end = performance.now() + 15000;
  while (found.length < frames && performance.now() < end) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
    if (!screen.shown || screen.shown.ticks === last) continue;
    last = screen.shown.ticks;
    const scale = screen.still.width / screen.video.videoWidth;
    const read = (canvas, by) => {
      const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
      const context = copy.getContext("2d", { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      let number = 0;
      for (let bit = 0; bit < BITS; bit += 1) {
        const x = Math.floor((bit + 0.5) * BLOCK * by);
        const [red, , , alpha] = context.getImageData(x, Math.floor(BLOCK / 2 * by), 1, 1).data;
        if (canvas === screen.canvas ? alpha && red < 50 : red > 127) number += 1 << bit;
      }
      return number;
    };
    found.push([read(screen.still, scale), read(screen.canvas, 1), screen.shown.age]);
  }
  return found;
}""".replace("BITS", str(BITS)).replace("BLOCK", str(BLOCK))
"""The numbers of frames that are drawn into picture and mask, and how old each picture is."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def one() -> Iterator[StandIn]:
    with StandIn(1, numbered=True, frames=20) as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def three() -> Iterator[StandIn]:
    with StandIn(3, fps=8.0, frames=20) as stand_in:
        yield stand_in


Opens = Callable[..., Page]


@pytest.fixture
def opens(browser: Browser) -> Iterator[Opens]:
    """Open a stand-in's page; its console must stay silent, but for connections that a test breaks (``breaks``)."""
    problems: list[str] = []
    contexts = []

    def opened(stand_in: StandIn, size: tuple[int, int] = SIZES[0], dark: bool = False, breaks: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(LONGEST * 1000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        if not breaks:
            page.on("console", lambda message: problems.append(message.text))
        page.goto(stand_in.url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


def plays(page: Page, number: int = 1) -> None:
    """Wait until two further pictures of a source are shown."""
    page.evaluate(
        """async (number) => {
          const { page } = await import("/static/main.js");
          const ticks = () => page.screens.get(number)?.shown?.ticks ?? 0;
          let [last, changes] = [ticks(), 0];
          while (changes < 2) {
            await new Promise((resolve) => setTimeout(resolve, 20));
            if (ticks() !== last) [last, changes] = [ticks(), changes + 1];
          }
        }""",
        number,
    )


def note(page: Page, name: str) -> Locator:
    return page.locator(f'.screen[aria-label="{name}"] .note')


def colors(page: Page) -> list[int]:
    """How many pixels of the mask are drawn, and how many of them fully."""
    found: list[int] = page.evaluate(
        """async () => {
          const { page } = await import("/static/main.js");
          const [{ canvas }] = page.screens.values();
          const { width, height } = canvas;
          const copy = Object.assign(document.createElement("canvas"), { width, height });
          const context = copy.getContext("2d", { willReadFrequently: true });
          context.drawImage(canvas, 0, 0);
          const { data } = context.getImageData(0, 0, width, height);
          const alphas = data.filter((_, at) => at % 4 === 3);
          return [alphas.filter((one) => one > 0).length, alphas.filter((one) => one === 255).length];
        }"""
    )
    return found


def test_the_picture_moves_and_each_mask_is_of_the_picture_under_it(one: StandIn, opens: Opens) -> None:
    page = opens(one)
    plays(page)
    found = page.evaluate(STEPS, 60)
    numbers = [picture for picture, _, _ in found]
    assert len(numbers) > 20
    assert len(set(numbers)) == len(numbers)
    assert [mask for _, mask, _ in found] == numbers
    ages = sorted(age for _, _, age in found)
    print(f"camera to screen: p50 {ages[len(ages) // 2]:.0f} ms, p90 {ages[len(ages) * 9 // 10]:.0f} ms")  # noqa: T201
    assert ages[len(ages) // 2] > 0  # of single ones some may not be: two clocks are compared


def test_the_slider_and_the_classes_act_at_once_also_while_no_picture_comes(one: StandIn, opens: Opens) -> None:
    page = opens(one)
    plays(page)

    def opacity() -> str:
        found: str = page.locator(".mask").evaluate("(mask) => getComputedStyle(mask).opacity")
        return found

    page.locator("#opacity").fill("20")
    assert opacity() == "0.2"
    one.cameras[0].paused = True
    until(lambda: note(page, "front").is_visible())
    page.locator("#opacity").fill("90")
    assert opacity() == "0.9"
    all_of_it, _ = colors(page)
    road = page.get_by_role("button", name="road", exact=False).first
    road.click()
    page.mouse.move(5, 5)
    assert road.get_attribute("aria-pressed") == "false"
    without, _ = colors(page)
    assert without < all_of_it
    page.get_by_role("button", name="Only road").click()
    page.mouse.move(5, 5)
    alone, _ = colors(page)
    assert alone == all_of_it - without
    page.reload()
    one.cameras[0].paused = False
    plays(page)
    assert opacity() == "0.9"
    assert road.get_attribute("aria-pressed") == "true"
    assert page.locator(".classes li.off").count() == 10
    page.locator("#all-classes").click()
    assert page.locator(".classes li.off").count() == 0


def test_pointing_at_the_picture_names_the_class_and_at_a_class_shows_it_alone(one: StandIn, opens: Opens) -> None:
    page = opens(one)
    plays(page)
    box = page.locator(".frame").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.95)
    until(lambda: page.locator(".named").inner_text() == "road")
    assert page.locator(".classes li.pointed .name").inner_text() == "road"
    page.locator(".classes li", has_text="road").hover()
    until(lambda: 0 < colors(page)[1] < colors(page)[0])
    assert page.locator(".named").is_hidden()


def test_numbers_go_on_and_the_history_reads_out(one: StandIn, opens: Opens) -> None:
    page = opens(one)
    frames = page.locator("#source-frames")
    before = until(lambda: frames.inner_text())
    until(lambda: frames.inner_text() != before)
    assert float(page.locator(".tile .value").first.inner_text()) > 1
    assert page.locator("#stages tr").count() == 5
    shares = [float(text[:-1]) for text in page.locator(".classes .share").all_inner_texts()]
    assert shares[0] == max(shares)
    assert 95 < sum(shares) < 101
    page.locator("#plot-latency").hover()
    assert page.locator(".read-when").first.inner_text().endswith("s ago")
    drawn = "(plot) => plot.getContext('2d').getImageData(0, 0, plot.width, plot.height).data.some((one) => one > 90)"
    assert page.locator("#plot-fps").evaluate(drawn)


def test_only_what_is_visible_is_streamed(three: StandIn, opens: Opens) -> None:
    page = opens(three)
    plays(page, 3)

    def watched() -> list[list[int]]:
        return [viewer.watched for viewer in three.viewers]

    until(lambda: watched() == [[1, 2, 3]])
    page.get_by_role("tab", name="left").click()
    until(lambda: watched() == [[2]])
    plays(page, 2)
    assert page.locator(".screen:visible").count() == 1
    page.evaluate("""() => {
      Object.defineProperty(document, "hidden", { value: true, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }""")
    until(lambda: watched() == [[]])
    time.sleep(0.2)
    encoded = three.encoded
    time.sleep(0.3)
    assert three.encoded == encoded
    page.evaluate("() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }")
    plays(page, 2)
    page.get_by_role("tab", name="All sources").click()
    plays(page, 1)
    until(lambda: watched() == [[1, 2, 3]])
    page.set_viewport_size({"width": 390, "height": 400})
    until(lambda: watched() == [[1]] or watched() == [[1, 2]])


def test_a_lost_source_is_shown_as_such_and_comes_back_by_itself(three: StandIn, opens: Opens) -> None:
    page = opens(three)
    plays(page, 2)
    three.lose("left", "<script>window.bad = 1</script> does not answer.")
    until(lambda: note(page, "left").is_visible())
    assert "Lost" in note(page, "left").inner_text()
    assert "<script>window.bad = 1</script> does not answer." in note(page, "left").inner_text()
    assert note(page, "front").is_hidden()
    three.no_signal = True
    until(lambda: page.locator('.screen[aria-label="left"].no-signal').count())
    three.no_signal = False
    three.back("left")
    until(lambda: note(page, "left").is_hidden())
    plays(page, 2)
    until(lambda: page.locator(".no-signal").count() == 0)
    assert page.evaluate("window.bad") is None


def test_sources_come_and_go_and_a_refusal_is_told(three: StandIn, opens: Opens) -> None:
    page = opens(three, breaks=True)
    page.locator("#add").click()
    page.locator("#add-source").fill("rtsp://elsewhere/1")
    page.keyboard.press("Enter")
    until(lambda: "is not an allowed source" in page.locator("#add-problem").inner_text())
    page.locator("#add-source").fill("synthetic://street")
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="added4").click()
    plays(page, 4)
    page.keyboard.press("p")
    until(lambda: three.cameras[3].paused)
    until(lambda: page.locator("#pause-word").inner_text() == "Resume")
    page.locator("#remove").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    until(lambda: page.get_by_role("tab", name="added4").count() == 0)
    page.route("**/api/**", lambda route: route.fulfill(status=401, json={"error": "Log in.", "fix": ""}))
    page.keyboard.press("1")
    page.keyboard.press("p")
    page.wait_for_url("**/login")


def test_the_page_outlives_the_server_and_says_when_the_run_has_ended(opens: Opens) -> None:
    with StandIn(1, frames=10, control=False) as stand_in:
        page = opens(stand_in, breaks=True)
        plays(page)
        stand_in.close()
        until(lambda: page.locator("#link-word").inner_text() == "Reconnecting")
        assert "Reconnecting" in note(page, "front").inner_text()
        stand_in.start()
        plays(page)
        until(lambda: page.locator("#link-word").inner_text() == "Connected")
        stand_in.end()
        until(lambda: note(page, "front").inner_text().strip() == "The run has ended")
        assert page.locator("#link-word").inner_text() == "The run has ended"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=["wide", "phone"])
def test_nothing_is_cut_off_at_any_width_in_light_and_dark(
    three: StandIn, opens: Opens, size: tuple[int, int], dark: bool
) -> None:
    page = opens(three, size, dark)
    plays(page)
    background = page.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor")
    assert background == ("rgb(10, 13, 18)" if dark else "rgb(243, 245, 247)")
    over = "document.documentElement.scrollWidth - innerWidth"
    assert page.evaluate(over) == 0
    page.keyboard.press("2")
    plays(page, 2)
    assert page.evaluate(over) == 0
    page.evaluate("() => { document.documentElement.style.fontSize = '22px'; }")
    assert page.evaluate(over) == 0


def test_everything_is_reached_by_keys(three: StandIn, opens: Opens) -> None:
    page = opens(three)
    plays(page)

    def view() -> tuple[str | None, str]:
        return page.locator("body").get_attribute("data-view"), page.locator("#source-name").inner_text()

    page.keyboard.press("ArrowRight")
    assert view() == ("one", "front")
    page.keyboard.press("ArrowRight")
    assert view() == ("one", "left")
    page.keyboard.press("3")
    assert view() == ("one", "right")
    page.keyboard.press("ArrowLeft")
    assert view() == ("one", "left")
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert page.locator("#opacity-value").inner_text() == "45%"
    page.keyboard.press("+")
    page.keyboard.press("o")
    assert page.locator("#opacity-value").inner_text() == "0%"
    page.keyboard.press("o")
    assert page.locator("#opacity-value").inner_text() == "50%"
    page.keyboard.press("t")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    for key, ending in (("s", ".jpg"), ("m", ".png")):
        with page.expect_download() as download:
            page.keyboard.press(key)
        assert download.value.suggested_filename.startswith("left-")
        assert download.value.suggested_filename.endswith(ending)
    page.keyboard.press("?")
    assert page.locator("#help-dialog").is_visible()
    page.keyboard.press("g")
    assert view()[0] == "one"
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    assert view()[0] == "grid"


def test_a_browser_without_media_source_gets_pictures_with_the_overlay_in_them(one: StandIn, browser: Browser) -> None:
    context = browser.new_context()
    context.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource;")
    page = context.new_page()
    page.goto(one.url)
    until(lambda: page.locator("img.picture").evaluate("(picture) => picture.naturalWidth") == 640)
    assert page.locator("#opacity").is_hidden()
    context.close()
