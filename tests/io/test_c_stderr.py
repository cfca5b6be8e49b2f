from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading

import pytest

from fcn_edge.io.c_stderr import caught

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")


def c_prints(text: object) -> None:
    libc = ctypes.CDLL(None)
    libc.fputs(text, ctypes.c_void_p.in_dll(libc, "stderr"))
    libc.fflush(None)


def test_what_c_code_prints_is_caught_each_time_anew(capfd: pytest.CaptureFixture[str]) -> None:
    for text in (b"first\nand second\n", b"third\n"):
        with caught() as found:
            c_prints(text)
        assert found.lines == text.decode().splitlines()
    with caught() as found:
        pass
    assert found.lines == []
    assert capfd.readouterr().err == ""


def test_what_others_print_still_arrives(capfd: pytest.CaptureFixture[str]) -> None:
    with caught() as found:
        sys.stderr.write("of Python\n")
        sys.stderr.flush()
        os.write(2, b"of a child process\n")
    c_prints(b"afterwards\n")
    assert found.lines == []
    assert capfd.readouterr().err == "of Python\nof a child process\nafterwards\n"


def test_an_error_in_the_block_ends_the_catch(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ctypes.ArgumentError), caught():
        c_prints(object())
    c_prints(b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_child_that_is_forked_meanwhile_can_print_and_catch() -> None:
    read, write = os.pipe()
    with caught():
        child = os.fork()
        if child == 0:
            os.dup2(write, 2)
            c_prints(b"of the child\n")
            with caught() as found:
                c_prints(b"caught\n")
            os.write(2, repr(found.lines).encode())
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert pipe.read() == "of the child\n['caught']"


def test_threads_that_print_all_the_time_do_no_harm(capfd: pytest.CaptureFixture[str]) -> None:
    ended = threading.Event()

    def chatter() -> None:
        while not ended.is_set():
            c_prints(b"of another thread\n")

    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        for number in range(200):
            with caught() as found:
                c_prints(b"mine %d\n" % number)
            assert f"mine {number}" in found.lines
    finally:
        ended.set()
        thread.join()
    assert "mine" not in capfd.readouterr().err
