from __future__ import annotations

import itertools
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from fcn_edge.errors import MissingExtraError, SourceError, UsageError
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.sources import SourceAddress, open_source
from tests.waits import until

from ...servers.frame_numbers import number_of
from ...servers.videos import jpegs, write_video
from ...servers.web import BOUNDARY, WebServer, multipart

pytestmark = pytest.mark.usefixtures("no_thread_left")

MJPEG = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
PLAYLIST = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture(scope="session")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Videos of 50 numbered frames, and a playlist of them in two parts, by file name."""
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "drive.mp4")
    write_video(folder / "fast.mp4", container_options={"movflags": "faststart"})
    write_video(folder / "fragments.mp4", container_options={"movflags": "frag_keyframe+empty_moov"})
    write_video(folder / "reordered.mp4", options={"bf": "3", "preset": "medium"})
    write_video(folder / "drive.mkv", form="matroska")
    write_video(folder / "drive.ts", form="mpegts")
    write_video(
        folder / "drive.m3u8",
        form="hls",
        options={"g": "25"},
        container_options={"hls_time": "1", "hls_list_size": "0"},
    )
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def numbers(frames: Iterable[Frame]) -> list[int | None]:
    return [number_of(frame.image) for frame in frames]


class TestFile:
    @pytest.mark.parametrize(
        "name", ["drive.mp4", "fast.mp4", "fragments.mp4", "reordered.mp4", "drive.mkv", "drive.ts", "drive.m3u8"]
    )
    def test_gives_every_frame_in_order_with_its_time(
        self, web: WebServer, content: dict[str, bytes], name: str
    ) -> None:
        web.files = {f"/v/{file}": data for file, data in content.items()}
        with open_source(web.url(f"/v/{name}")) as source:
            assert (source.live, source.fps, source.size) == (False, 25.0, (96, 320))
            assert source.length in {None, 50}
            frames = list(source)
        assert numbers(frames) == list(range(50))
        assert [frame.index for frame in frames] == list(range(50))
        assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(50)], abs=1e-3)
        assert {frame.camera_time_ns for frame in frames} == {None}
        assert source.state == "ended"
        assert source.dropped == 0

    def test_waits_for_a_slow_reader(self, web: WebServer, content: dict[str, bytes]) -> None:
        web.files["/a.mp4"] = content["drive.mp4"]
        with open_source(web.url("/a.mp4")) as source:
            time.sleep(0.3)
            before = time.monotonic_ns()
            frames = list(source)
        assert numbers(frames) == list(range(50))
        assert frames[0].captured_ns >= before  # it was not captured while it waited

    def test_of_a_server_without_byte_ranges(self, web: WebServer, content: dict[str, bytes]) -> None:
        web.ranges = False
        web.files = {"/fast.mp4": content["fast.mp4"], "/drive.mp4": content["drive.mp4"]}
        with open_source(web.url("/fast.mp4")) as source:
            assert numbers(source) == list(range(50))

    def test_is_sought_by_byte_ranges(self, web: WebServer, content: dict[str, bytes]) -> None:
        padding = bytes(200_000)
        box = (len(padding) + 8).to_bytes(4, "big") + b"free" + padding
        index = content["drive.mp4"].index(b"moov") - 4
        web.files["/a.mp4"] = content["drive.mp4"][:index] + box + content["drive.mp4"][index:]
        with open_source(web.url("/a.mp4")) as source:
            assert numbers(source) == list(range(50))
        assert ("/a.mp4", "") in web.asked
        assert [wanted for _, wanted in web.asked if wanted]

    def test_that_is_cut_off_gives_its_frames_and_then_says_so(self, web: WebServer, content: dict[str, bytes]) -> None:
        whole = content["fast.mp4"]
        web.files["/a.mp4"] = whole[: len(whole) * 9 // 10]
        seen: list[int] = []
        with open_source(web.url("/a.mp4")) as source, pytest.raises(SourceError, match="cut off or damaged") as caught:
            seen.extend(frame.index for frame in source)
        assert 0 < len(seen) < 50
        assert caught.value.exit_code == 5

    def test_whose_connection_ends_early_is_lost(self, web: WebServer, content: dict[str, bytes]) -> None:
        def cut() -> Iterable[bytes]:
            yield content["drive.mkv"][:3000]

        web.files["/a.mkv"] = cut
        with open_source(web.url("/a.mkv")) as source:
            list(source)  # it announces no length: what came is all there is
        assert source.state == "ended"

    @pytest.mark.parametrize(
        "data", [b"", b"<html>hello</html>" * 200, bytes(5000), b"ffconcat version 1.0\nfile a.ts\n"]
    )
    def test_that_is_no_video(self, web: WebServer, content: dict[str, bytes], data: bytes) -> None:
        web.files = {"/a.mp4": data, "/a.ts": content["drive.ts"]}
        with pytest.raises(SourceError) as caught:
            open_source(web.url("/a.mp4"))
        assert web.url("/a.mp4") in caught.value.message
        assert caught.value.fix
        assert {path for path, _ in web.asked} == {"/a.mp4"}

    def test_follows_a_redirection_but_not_to_a_file(self, web: WebServer, content: dict[str, bytes]) -> None:
        web.files = {"/a": "/b.mp4", "/b.mp4": content["drive.mp4"], "/c": "file:///etc/passwd"}
        with open_source(web.url("/a")) as source:
            assert len(list(source)) == 50
        with pytest.raises(SourceError, match="leads elsewhere"):
            open_source(web.url("/c"))

    def test_that_may_not_lead_elsewhere_stays_at_its_host_and_port(
        self, web: WebServer, content: dict[str, bytes]
    ) -> None:
        with WebServer() as other:
            other.files = {"/b.mp4": content["drive.mp4"], "/b.ts": content["drive.ts"]}
            playlist = f"{PLAYLIST}#EXTINF:2,\n{other.url('/b.ts')}\n#EXT-X-ENDLIST\n".encode()
            web.files = {"/away": other.url("/b.mp4"), "/away.m3u8": playlist, "/here": "/b.mp4", **other.files}
            with open_source(web.url("/here#elsewhere=no")) as source:
                assert len(list(source)) == 50
            for path in ("/away", "/away.m3u8"):
                with pytest.raises(SourceError, match=r"leads to another host|no part can be read"):
                    open_source(web.url(f"{path}#elsewhere=no"))
            assert other.asked == []
            with open_source(web.url("/away")) as source:
                assert len(list(source)) == 50

    def test_keeps_the_query_of_the_address(self, web: WebServer, content: dict[str, bytes]) -> None:
        web.files["/a.mp4?channel=1&size=2#x"[:-2]] = content["drive.mp4"]
        with open_source(web.url("/a.mp4?channel=1&size=2#fps=12&timeout=3")) as source:
            assert source.fps == 12
        assert web.asked[0][0] == "/a.mp4?channel=1&size=2"

    def test_that_leads_to_no_address(self, web: WebServer) -> None:
        web.files["/a"] = "http://[camera/b.mp4"
        with pytest.raises(SourceError, match="makes no sense"):
            open_source(web.url("/a"))

    def test_that_is_absent(self, web: WebServer) -> None:
        with pytest.raises(SourceError, match=r"nothing at .*/a.mp4 \(HTTP 404\)"):
            open_source(web.url("/a.mp4"))

    @pytest.mark.parametrize(
        "digest", ['qop="auth", algorithm=MD5', 'qop="auth,auth-int"', "opaque=x", 'qop="auth", algorithm=SHA-256']
    )
    def test_behind_a_digest_login(self, web: WebServer, content: dict[str, bytes], digest: str) -> None:
        web.files["/a.mp4?channel=1"] = content["drive.mp4"]  # its index is at its end, so that it is sought
        web.login, web.digest = "me:s@cr/t#1", digest
        with open_source(web.url("/a.mp4?channel=1", "me:s%40cr%2Ft%231")) as source:
            assert len(list(source)) == 50
        assert web.refused
        for login in ("", "me:secret"):
            before = web.refused
            with pytest.raises(SourceError, match="wants a user and a password") as caught:
                open_source(web.url("/a.mp4?channel=1", login))
            assert caught.value.persistent
            assert web.refused - before == (2 if login else 1), "cameras lock out who tries too often"
            assert "secret" not in "".join(traceback.format_exception(caught.value))

    def test_behind_a_login(self, web: WebServer, content: dict[str, bytes]) -> None:
        web.files["/a.mp4"] = content["drive.mp4"]
        web.login = "me:s@cr/t#1"
        with open_source(web.url("/a.mp4", "me:s%40cr%2Ft%231")) as source:
            assert len(list(source)) == 50
            assert "cr%2Ft" not in source.id
        for login in ("", "me:secret"):
            with pytest.raises(SourceError, match="wants a user and a password") as caught:
                open_source(web.url("/a.mp4", login))
            assert caught.value.persistent
            assert "secret" not in "".join(traceback.format_exception(caught.value))


class TestPlaylist:
    @pytest.mark.parametrize(
        "text",
        [
            "#EXTINF:2,\nfile://{folder}/drive.ts\n#EXT-X-ENDLIST\n",
            "#EXTINF:2,\n{folder}/drive.ts\n#EXT-X-ENDLIST\n",
            "#EXTINF:2,\nconcat:{folder}/drive.ts|/etc/passwd\n#EXT-X-ENDLIST\n",
            "#EXTINF:2,\nsubfile,,start,0,end,0,,:{folder}/drive.ts\n#EXT-X-ENDLIST\n",
            '#EXT-X-MAP:URI="file://{folder}/drive.mp4"\n#EXTINF:2,\ndrive.ts\n#EXT-X-ENDLIST\n',
            '#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/passwd"\n#EXTINF:2,\ndrive.ts\n#EXT-X-ENDLIST\n',
            "#EXT-X-STREAM-INF:BANDWIDTH=1000\nfile://{folder}/drive.m3u8\n",
            "#EXT-X-STREAM-INF:BANDWIDTH=1000\n{folder}/drive.m3u8\n",
        ],
    )
    def test_leads_to_no_file(
        self, web: WebServer, content: dict[str, bytes], tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str
    ) -> None:
        for name, data in content.items():
            (tmp_path / name).write_bytes(data)
        web.files["/a.m3u8"] = (PLAYLIST + text.format(folder=tmp_path)).encode()
        with pytest.raises(SourceError) as caught:
            open_source(web.url("/a.m3u8"))
        assert web.url("/a.m3u8") in caught.value.message
        assert capfd.readouterr().err == ""

    def test_from_a_file_is_not_opened(self, tmp_path: Path, web: WebServer, content: dict[str, bytes]) -> None:
        path = tmp_path / "a.m3u8"
        path.write_text(f"{PLAYLIST}#EXTINF:2,\n{web.url('/a.ts')}\n#EXT-X-ENDLIST\n")
        web.files["/a.ts"] = content["drive.ts"]
        with pytest.raises(SourceError):
            open_source(path)
        assert not web.asked

    def test_goes_on_without_a_part_that_is_missing(
        self, web: WebServer, content: dict[str, bytes], capfd: pytest.CaptureFixture[str]
    ) -> None:
        text = f"{PLAYLIST}#EXTINF:1,\ndrive0.ts\n#EXTINF:1,\nno.ts\n#EXTINF:1,\ndrive1.ts\n#EXT-X-ENDLIST\n"
        web.files = {f"/{name}": data for name, data in content.items()} | {"/a.m3u8": text.encode()}
        with open_source(web.url("/a.m3u8")) as source:
            assert numbers(source) == list(range(50))
        assert capfd.readouterr().err == ""

    def test_of_playlists_is_read_in_its_largest_form_and_the_others_are_left(
        self, web: WebServer, content: dict[str, bytes], tmp_path: Path
    ) -> None:
        parts = 10
        write_video(tmp_path / "small.ts", form="mpegts", height=48)
        listed = PLAYLIST + "".join(f"#EXT-X-DISCONTINUITY\n#EXTINF:2,\n{{0}}{part}.ts\n" for part in range(parts))
        listed += "#EXT-X-ENDLIST\n"
        web.files = {"/small.m3u8": listed.format("small").encode(), "/large.m3u8": listed.format("large").encode()}
        for part in range(parts):
            web.files[f"/small{part}.ts"] = (tmp_path / "small.ts").read_bytes()
            web.files[f"/large{part}.ts"] = content["drive.ts"]
        web.files["/a.m3u8"] = (
            b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nsmall.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=9000\nlarge.m3u8\n"
        )
        with open_source(web.url("/a.m3u8")) as source:
            assert source.size == (96, 320)
            assert numbers(source) == list(range(50)) * parts
        assert len([path for path, _ in web.asked if path.startswith("/small")]) < parts / 2

    def test_that_is_live_comes_at_its_own_pace(self, web: WebServer, content: dict[str, bytes]) -> None:
        live = f"{PLAYLIST}#EXTINF:1,\ndrive0.ts\n#EXTINF:1,\ndrive1.ts\n"
        web.files = {f"/{name}": data for name, data in content.items()} | {"/a.m3u8": live.encode()}
        with open_source(web.url("/a.m3u8")) as source:
            assert source.live
            assert source.longest_gap == 10, "a part comes whole"
            frames = [frame for frame, _ in zip(source, range(20), strict=False)]
            web.files["/a.m3u8"] = (live + "#EXT-X-ENDLIST\n").encode()
            frames.extend(source)
        assert source.state == "ended"
        assert [number for number in numbers(frames) if number is not None] == sorted(set(numbers(frames)))  # type: ignore[type-var]
        # both parts are there at once, and last two seconds
        assert frames[-1].captured_ns - frames[0].captured_ns > 1.5e9

    def test_that_is_live_is_lost_when_no_part_follows(self, web: WebServer, content: dict[str, bytes]) -> None:
        web.files = {
            "/drive0.ts": content["drive0.ts"],
            "/a.m3u8": f"{PLAYLIST}#EXTINF:1,\ndrive0.ts\n".encode(),
        }
        with open_source(web.url("/a.m3u8") + "#timeout=0.5") as source:
            with pytest.raises(SourceError, match=r"nothing came for 0\.5 s"):
                list(source)
            assert source.state == "lost"


class TestMjpeg:
    def test_is_live_and_is_lost_when_it_ends(self, web: WebServer) -> None:
        turns: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        pictures = jpegs(4)
        web.files["/video"] = lambda: multipart(iter(turns.get, None))
        web.kinds["/video"] = MJPEG
        turns.put(pictures[0])
        turns.put(pictures[0])
        with open_source(web.url("/video")) as source:
            assert (source.live, source.size, source.length) == (True, (96, 320), None)
            first = next(source)
            assert number_of(first.image) == 0
            for expected in range(1, 4):
                before = time.monotonic_ns(), time.time_ns()
                turns.put(pictures[expected])
                while (frame := next(source)) and number_of(frame.image) != expected:
                    pass
                assert before[0] <= frame.captured_ns <= time.monotonic_ns()
                assert before[1] <= frame.captured_unix_ns <= time.time_ns()
            turns.put(None)
            with pytest.raises(SourceError, match="the server ended the stream"):
                next(source)
            assert source.state == "lost"

    def test_gives_the_newest_frame_and_counts_the_dropped(self, web: WebServer) -> None:
        go_on, all_sent = threading.Event(), threading.Event()

        def pieces() -> Iterable[bytes]:
            yield from multipart(jpegs(20))
            all_sent.set()
            go_on.wait(60)

        web.files["/video"], web.kinds["/video"] = pieces, MJPEG
        with open_source(web.url("/video")) as source:
            assert all_sent.wait(60)
            until(lambda: source.dropped >= 19)
            assert source.dropped == 19
            frame = next(source)
            assert (number_of(frame.image), frame.index) == (19, 19)
            go_on.set()

    def test_stalls_and_is_lost_when_nothing_comes(self, web: WebServer) -> None:
        done = threading.Event()
        web.files["/video"], web.kinds["/video"] = endless_but_silent(done), MJPEG
        with open_source(web.url("/video#timeout=0.8")) as source:
            states = {source.state}
            with pytest.raises(SourceError, match=r"nothing came for 0\.8 s"):  # noqa: PT012 (the read that raises is one of many)
                while True:
                    source.read(0.05)
                    states.add(source.state)
            assert states - {"waiting_for_keyframe"} == {"live", "stalled"}
            assert source.state == "lost"
        done.set()

    def test_that_is_silent_can_be_closed_and_interrupted_at_once(self, web: WebServer) -> None:
        done = threading.Event()
        web.files["/video"], web.kinds["/video"] = endless_but_silent(done), MJPEG
        for end in ("close", "interrupt"):
            with open_source(web.url("/video#timeout=60")) as source:
                next(source)
                getattr(source, end)()
                assert source.read() is None
                source._thread.join(30)  # type: ignore[attr-defined]
                assert not source._thread.is_alive()  # type: ignore[attr-defined]
                assert source.state == "ended"
        done.set()

    def test_goes_on_after_a_picture_that_is_damaged(self, web: WebServer) -> None:
        pictures = jpegs(3)
        go_on = threading.Event()

        def pieces() -> Iterable[bytes]:
            yield from multipart([pictures[0], b"\xff\xd8" + bytes(500), pictures[2], pictures[2]])
            go_on.wait(60)

        web.files["/video"], web.kinds["/video"] = pieces, MJPEG
        with open_source(web.url("/video")) as source:
            while number_of(next(source).image) != 2:
                pass
            assert source.damaged == 1
            go_on.set()


def endless_but_silent(done: threading.Event) -> Callable[[], Iterable[bytes]]:
    """Two pictures, then nothing, until the event."""

    def pieces() -> Iterable[bytes]:
        yield from multipart(jpegs(2))
        done.wait(60)

    return pieces


class TestConnecting:
    def test_that_nobody_answers_is_given_up_in_time(self, web: WebServer) -> None:
        done = threading.Event()

        def nothing() -> Iterable[bytes]:
            done.wait(60)
            return itertools.repeat(b"")

        web.files["/video"] = nothing
        connection = SourceAddress.of(web.url("/video")).connection()
        with pytest.raises(SourceError, match=r"0\.5 s"):
            connection.connect(0.5)
        assert connection.state == "lost"
        done.set()

    def test_can_be_interrupted(self, web: WebServer) -> None:
        asked, done = threading.Event(), threading.Event()

        def nothing() -> Iterable[bytes]:
            asked.set()
            done.wait(60)
            return []

        web.files["/video"] = nothing
        connection = SourceAddress.of(web.url("/video")).connection()
        interrupter = threading.Thread(target=lambda: (asked.wait(60), connection.interrupt()))
        interrupter.start()
        with pytest.raises(SourceError, match="interrupted"):
            connection.connect(60)
        interrupter.join()
        assert connection.state == "ended"
        done.set()

    @pytest.mark.parametrize("scheme", ["http", "https", "rtsp", "rtsps"])
    def test_to_a_closed_port_and_an_unknown_host(self, scheme: str) -> None:
        word = "se" + "cret"  # tracebacks show this file's lines
        with pytest.raises(SourceError, match="refuses connections to port 1"):
            open_source(f"{scheme}://127.0.0.1:1/x")
        with pytest.raises(SourceError, match="is not known here") as caught:
            open_source(f"{scheme}://me:{word}@no-such-host.invalid/x")
        assert word not in "".join(traceback.format_exception(caught.value))

    def test_to_what_does_not_speak_tls(self, web: WebServer) -> None:
        with pytest.raises(SourceError, match="TLS"):
            open_source(web.url("/x").replace("http:", "https:"))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("http://cam/x#timeout=0", r"seconds from 0\.1"),
            ("http://cam/x#timeout=soon", r"seconds from 0\.1"),
            ("http://cam/x#transport=udp", "no option 'transport'"),
            ("https://cam/x#verify=maybe", "yes or no"),
            ("rtsp://cam/x#transport=smoke", "tcp or udp"),
            ("rtsp://cam/x#jitter=-1", "milliseconds"),
            ("rtsp://cam/x#fps=0", "positive"),
        ],
    )
    def test_refuses_options_that_make_no_sense(self, text: str, message: str) -> None:
        with pytest.raises(UsageError, match=message):
            SourceAddress.of(text).connection()

    @pytest.mark.parametrize(
        "text", ["http:///x", "rtsp://cam:port/x", "rtsp://me:a/secret@cam/x", "http://cam:70000/"]
    )
    def test_refuses_an_address_without_a_host(self, text: str) -> None:
        with pytest.raises(UsageError, match="has no host, or no port") as caught:
            open_source(text)
        assert "secret" not in str(caught.value)

    def test_says_which_extra_it_needs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "av", None)
        for text in ("rtsp://127.0.0.1:1/x", "http://127.0.0.1:1/x"):
            with pytest.raises(MissingExtraError, match="Python package av") as caught:
                open_source(text)
            assert "fcn_edge[streams]" in caught.value.fix
