"""Clips are encoded here with libx264, as cameras do: what an encoder does to a still scene is the trap."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import repeat

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.picture_watch import PictureWatch

Image = NDArray[np.uint8]
Clip = list[tuple[Image, int]]
FPS = 25
SIZE = HEIGHT, WIDTH = 180, 320


def parked() -> Image:
    """A car in front of a wall."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = np.stack([90 + 40 * np.sin(x / 19) + 20 * np.cos(y / 11)] * 3, -1).clip(0, 255).astype(np.uint8)
    cv2.rectangle(image, (100, 75), (210, 140), (40, 40, 160), -1)
    for wheel in (125, 185):
        cv2.circle(image, (wheel, 140), 15, (20, 20, 20), -1)
    return image


def night() -> Image:
    """A dark street with a few lamps: luma 6 nearly everywhere."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = np.full((*SIZE, 3), 6.0)
    for column, row in ((50, 40), (165, 30), (280, 45)):
        image += (240 * np.exp(-((x - column) ** 2 + (y - row) ** 2) / 72))[..., None]
    return image.clip(0, 255).astype(np.uint8)


def noisy(image: Image, seconds: float, sigma: float) -> Iterator[Image]:
    """What a sensor makes of a still scene."""
    rng = np.random.default_rng(3)
    for _ in range(round(seconds * FPS)):
        yield (image + rng.normal(0, sigma, SIZE)[..., None]).clip(0, 255).astype(np.uint8)


def through_h264(images: Iterable[Image], gop: int = 50, crf: int = 40) -> Iterator[tuple[Image, int]]:
    """Pictures as decoded from a camera's low bitrate, and how many keyframes there were so far."""
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {
            "crf": str(crf), "g": str(gop), "preset": "veryfast", "tune": "zerolatency", "threads": "1"
        }  # fmt: skip
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    file.seek(0)
    keyframes = 0
    with av.open(file) as container:
        for frame in container.decode(video=0):
            keyframes += bool(frame.key_frame)
            yield frame.to_ndarray(format="bgr24"), keyframes


def verdicts(pictures: Iterable[tuple[Image, int | None]], watch: PictureWatch | None = None) -> dict[str, float]:
    """Each verdict, and the second in which it was first given."""
    watch, first = watch or PictureWatch(), dict[str, float]()
    for index, (image, keyframes) in enumerate(pictures):
        verdict = watch.seen(image, index * NS_PER_S // FPS, keyframes)
        first.setdefault(verdict, index / FPS)
    return first


def equal_run(images: Iterable[Image]) -> int:
    """The longest run of bit-identical pictures."""
    longest = run = 0
    last = None
    for image in images:
        run = run + 1 if last is not None and np.array_equal(image, last) else 0
        longest, last = max(longest, run), image
    return longest


@pytest.fixture(scope="module")
def long_groups() -> Clip:
    """A parked car for 22 seconds, with a keyframe every ten."""
    return list(through_h264(noisy(parked(), 22, 0.5), gop=250))


class TestFrozen:
    @pytest.mark.parametrize("gop", [50, 250])
    def test_a_parked_car_is_not(self, gop: int, long_groups: Clip) -> None:
        clip = long_groups if gop == 250 else list(through_h264(noisy(parked(), 12, 0.5), gop))
        # the trap is in the clip: an encoder's "as before" for seconds
        assert equal_run(image for image, _ in clip) > 0.8 * gop
        assert verdicts(clip).keys() == {"live"}

    def test_a_parked_car_is_not_where_keyframes_are_not_counted(self) -> None:
        clip = through_h264(noisy(parked(), 14, 0.5), gop=100)
        assert verdicts((image, None) for image, _ in clip).keys() == {"live"}

    def test_of_longer_groups_it_is_learned_where_they_are_not_counted(self, long_groups: Clip) -> None:
        watch = PictureWatch()
        clip = [image for image, _ in long_groups]
        assert verdicts(((image, None) for image in clip), watch).keys() == {"live", "frozen"}
        again = {watch.seen(image, (22 * FPS + index) * NS_PER_S // FPS) for index, image in enumerate(clip[250:])}
        assert again == {"live"}

    @pytest.mark.parametrize("sigma", [0.5, 1.5])
    def test_a_night_is_not(self, sigma: float) -> None:
        assert verdicts(through_h264(noisy(night(), 16, sigma))).keys() == {"live"}

    def test_a_sensor_that_hangs_is_though_its_picture_is_encoded_anew(self) -> None:
        clip = list(through_h264(repeat(parked(), 20 * FPS), gop=25, crf=28))
        # keyframes and what refines them differ
        assert equal_run(image for image, _ in clip) < 2 * FPS
        first = verdicts(clip)
        assert first.keys() == {"live", "frozen"}
        assert 5 <= first["frozen"] <= 15

    @pytest.mark.parametrize("counted", [True, False])
    def test_the_same_picture_again_and_again_is_after_five_seconds(self, counted: bool) -> None:
        image = next(noisy(parked(), 1, 2))
        first = verdicts((image.copy(), index + 1 if counted else None) for index in range(6 * FPS))
        assert first == {"live": 0, "frozen": 5}

    @pytest.mark.parametrize("counted", [True, False])
    def test_ends_with_the_first_other_picture(self, counted: bool) -> None:
        watch, image = PictureWatch(), parked()
        for index in range(6 * FPS):
            last = watch.seen(image, index * NS_PER_S // FPS, index if counted else None)
        assert last == "frozen"
        assert watch.seen(next(noisy(image, 1, 1)), 6 * NS_PER_S, 6 * FPS if counted else None) == "live"

    def test_few_pictures_prove_nothing(self) -> None:
        watch = PictureWatch()
        assert {watch.seen(parked(), 10 * index * NS_PER_S) for index in range(4)} == {"live"}
        assert watch.seen(parked(), 40 * NS_PER_S) == "frozen"

    def test_a_loop_that_begins_with_the_same_keyframe_is_not(self) -> None:
        moving = [np.roll(parked(), 8 * step, 1) for step in range(FPS)]
        assert verdicts((moving[index % FPS], index // FPS) for index in range(20 * FPS)).keys() == {"live"}

    def test_a_change_of_size_is_another_picture(self) -> None:
        watch = PictureWatch()
        images = [np.zeros((90, 160, 3), np.uint8) + 99, np.zeros((180, 320, 3), np.uint8) + 99]
        seen = {watch.seen(images[index % 2], index * NS_PER_S // FPS) for index in range(10 * FPS)}
        assert seen == {"live"}

    def test_a_running_clock_is_not(self) -> None:
        def clock() -> Iterator[tuple[Image, None]]:
            for index in range(8 * FPS):
                image = parked()
                cv2.putText(image, f"12:00:0{index // FPS}", (5, 20), cv2.FONT_HERSHEY_PLAIN, 1, (255, 255, 255))
                yield image, None

        assert verdicts(clock()).keys() == {"live"}

    def test_begins_anew_after_a_reset(self) -> None:
        watch = PictureWatch()
        for index in range(6 * FPS):
            if index == 3 * FPS:
                watch.reset()
            assert watch.seen(parked(), index * NS_PER_S // FPS) == "live"


class TestBlack:
    def test_a_covered_lens_is_after_five_seconds(self) -> None:
        dark = np.full((*SIZE, 3), 3, np.uint8)
        first = verdicts((image, None) for image in noisy(dark, 7, 2))
        assert first.keys() == {"live", "black"}
        assert first["black"] == pytest.approx(5, abs=0.3)

    def test_a_covered_lens_is_black_and_not_frozen(self) -> None:
        black = np.zeros((*SIZE, 3), np.uint8)
        assert verdicts((black, None) for _ in range(8 * FPS)).keys() == {"live", "black"}

    def test_a_night_with_a_few_lamps_is_not(self) -> None:
        assert np.median(night()) == 6
        assert verdicts((image, None) for image in noisy(night(), 8, 1)).keys() == {"live"}

    def test_ends_when_there_has_been_light_for_a_second(self) -> None:
        watch, pictures = PictureWatch(), [*noisy(np.zeros((*SIZE, 3), np.uint8), 7, 1), *noisy(parked(), 3, 1)]
        seen = [watch.seen(image, index * NS_PER_S // FPS) for index, image in enumerate(pictures)]
        assert seen[7 * FPS] == "black"
        assert seen.index("live", 7 * FPS) / FPS == pytest.approx(8, abs=0.3)

    def test_a_flash_does_not_end_it(self) -> None:
        watch, black = PictureWatch(), np.zeros((*SIZE, 3), np.uint8)
        seen = []
        for index in range(10 * FPS):
            flash = index % FPS < 5
            seen.append(watch.seen(parked() if flash and index > 6 * FPS else black, index * NS_PER_S // FPS))
        assert set(seen[6 * FPS :]) == {"black"}

    @pytest.mark.parametrize("size", [(1, 1), (7, 3), (17, 33)])
    def test_tiny_pictures_are_measured_too(self, size: tuple[int, int]) -> None:
        image = np.zeros((*size, 3), np.uint8)
        assert "black" in verdicts((image, None) for _ in range(6 * FPS))
        assert "black" not in verdicts((image + 200, None) for _ in range(6 * FPS))
