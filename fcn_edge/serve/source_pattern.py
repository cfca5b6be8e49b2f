"""Which sources a pattern of ``--allow-source`` allows.

    rtsp://10.0.0.*            every stream of these hosts, on RTSP's own port
    rtsp://10.0.0.*:*/live/*   on any port, streams whose path begins so
    http://nas/videos/*        files of a server, without a query behind, and not where it redirects to elsewhere
    /data/videos/*             files and folders below, links followed before they are compared
    synthetic://*              rendered streets

A pattern is compared with what is really connected to: logins and our options are taken off before, and nothing is
guessed. ``*``, ``?`` and ``[...]`` are those of ``fnmatch``, and case counts. In a host they cross no dot; in paths
``*`` crosses ``/``, but never into the query behind ``?``. Devices, pipelines and pipes are taken only by their names.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote

from fcn_edge.errors import UsageError
from fcn_edge.io.redaction import without_passwords
from fcn_edge.runtime.sources import SourceAddress
from fcn_edge.runtime.uri import frame_size_from_text
from fcn_edge.serve.host_pattern import HostPattern

__all__ = ["SourcePattern"]

PORTS = {"rtsp": "554", "rtsps": "322", "http": "80", "https": "443"}
OPTIONS = frozenset(
    {"bits", "flip", "fps", "frames", "jitter", "loop", "name", "roi", "seed", "size", "timeout", "transport"}
)
"""Our options that whoever may add a source may give it: not those that check no certificate or start a process."""
MOST_PIXELS = 2160 * 3840
SYSTEM = ("/dev", "/proc", "/sys")
"""Where no file is a video."""

_WILD = re.compile(r"[*?\[]")
_TOKEN = re.compile(r"\[(?P<not>!?)(?P<set>[^\]]+)\]|.", re.DOTALL)
_URL_PATTERN = re.compile(
    r"(?P<scheme>rtsps?|https?)://(?P<host>\[[^\]/]*:[^\]/]*\]|[^/:@#]+)(?::(?P<port>[^/:@#]+))?"
    r"(?P<path>/[^#]*)?"
)
_URL = re.compile(
    r"(?P<scheme>rtsps?|https?)://(?:[^\s/?#@\\\[\]]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^\s?#@\\]*)?(?P<query>\?[^\s#@\\]*)?"
)
"""Nothing that two readers could take apart in two ways."""


class SourcePattern:
    """One pattern.

    Args:
        text: As it was given.

    Raises:
        UsageError: It can match nothing, or names a kind of source that patterns do not allow.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._url = _URL_PATTERN.fullmatch(text)
        self._streets = text.startswith("synthetic://")
        place = text.removeprefix("file://")
        try:
            if self._url is not None:
                self._host = HostPattern(self._url["host"])
                # without a path behind the host, any is meant
                self._place = re.compile(_regex(self._url["path"] or "*", many="[^?]*" if self._url["path"] else ".*"))
            elif self._streets:
                self._place = re.compile(_regex(text, many=".*"))
            elif "://" not in place and _names_files(place) and not place.startswith(SYSTEM):
                self._place = _below(place)
            else:
                raise UsageError(
                    f"Sources cannot be allowed by the pattern {without_passwords(text)}.",
                    "Patterns are for rtsp, rtsps, http and https without a login, for files, and for"
                    " synthetic://street; give other sources when the run starts.",
                )
        except re.error:
            raise UsageError(
                f"The pattern {without_passwords(text)} makes no sense.", "Correct what is in []."
            ) from None

    def admitted(self, address: SourceAddress) -> SourceAddress | None:
        """The address as it is to be connected to; None where the pattern does not allow it."""
        if not _harmless(address):
            return None
        if self._url is not None:
            return _staying(address) if self._allows_url(address) else None
        if self._streets:
            allowed = address.scheme == "synthetic" and self._place.fullmatch(address.location)
            return address if allowed else None
        return self._file(address)

    def _allows_url(self, address: SourceAddress) -> bool:
        pattern, url = self._url, _URL.fullmatch(address.location)
        if pattern is None or url is None or url["scheme"] != pattern["scheme"]:
            return False
        default = PORTS[url["scheme"]]
        path, query = url["path"] or "", url["query"] or ""
        return (
            self._host.matches(url["host"])
            and fnmatchcase(url["port"] or default, pattern["port"] or default)
            and not _climbs(path)
            and self._place.fullmatch(path + query) is not None
        )

    def _file(self, address: SourceAddress) -> SourceAddress | None:
        if address.scheme not in ("", "file") or not _names_files(address.place):
            return None
        try:
            there = os.path.realpath(address.place)
            is_one = Path(there).is_file() or Path(there).is_dir() or not Path(there).exists()
        except (OSError, ValueError):
            return None
        if not is_one or there.startswith(tuple(f"{folder}/" for folder in SYSTEM)) or there in SYSTEM:
            return None
        if self._place.fullmatch(there) is None:
            return None
        # a link that is turned elsewhere from now on is not followed
        return replace(address, scheme="", location=there)


def _names_files(place: str) -> bool:
    """Whether a text can be the place of files: not standard input, a camera's number or a way up."""
    return place not in ("", "-") and not place.isdecimal() and ".." not in place.split("/") and "\0" not in place


def _below(text: str) -> re.Pattern[str]:
    """What the real paths of files match that a pattern names; links in front of its first wildcard are followed."""
    wild = _WILD.search(text)
    end = len(text) if wild is None else text.rfind("/", 0, wild.start()) + 1
    folder = os.path.realpath(text[:end] or ".")
    if wild is None:
        return re.compile(re.escape(folder))
    return re.compile(re.escape(folder.rstrip("/")) + "/" + _regex(text[end:], many=".*"), re.DOTALL)


def _regex(text: str, many: str) -> str:
    """The regular expression of a pattern.

    Args:
        text: The pattern.
        many: That of a ``*``.
    """
    parts = []
    for found in _TOKEN.finditer(text):
        if found["set"]:
            inside = re.sub(r"([\\\[^&~|])", r"\\\1", found["set"])
            parts.append(f"[{'^' if found['not'] else ''}{inside}]")
        else:
            parts.append({"*": many, "?": "."}.get(found[0], re.escape(found[0])))
    return "".join(parts)


def _climbs(path: str) -> bool:
    """Whether a server could read a way up, or a control character, in a path of an address."""
    for read in (unquote(path), unquote(unquote(path))):
        if ".." in re.split(r"[/\\;]", read) or "\\" in read or not read.isprintable():
            return True
    return False


def _staying(address: SourceAddress) -> SourceAddress:
    """The address, which leads to no other host, whatever its server says. It is FFmpeg that follows RTSP."""
    if address.scheme not in ("http", "https"):
        return address
    return replace(address, options={**address.options, "elsewhere": "no"})


def _harmless(address: SourceAddress) -> bool:
    if not address.options.keys() <= OPTIONS:
        return False
    try:
        height, width = frame_size_from_text(address.options.get("size", "1x1"))
    except ValueError:  # what is wrong with it, the source says
        return True
    return height * width <= MOST_PIXELS
