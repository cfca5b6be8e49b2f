"""A copy of what PyPI says of the packages in docs/install.md's table, so that they are resolved without a network.

``python -m tests.installs.stored`` writes it anew: it resolves every row on PyPI, sees that what is said not to exist
does not, and keeps of what was chosen the names, versions, requirements and the tags of the wheels. TensorRT's packages
are source archives that fetch NVIDIA's wheels; they are kept as wheels for any machine, because their metadata is the
same.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from packaging.requirements import Requirement

from .resolution import NO_SET, TARGETS, Target, UnresolvableError, resolve, versions
from .rows import Row, installed, missing

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = Path(__file__).with_suffix(".json")
ANY_MACHINE = "py3-none-any"
EXTRAS = {"onnxruntime-gpu": {"cuda", "cudnn"}}
"""Extras of others that are asked for; those that they ask for in turn are found."""

Stored = dict[str, Any]
"""``date``, and ``packages``: ``name==version`` -> ``python``, ``requires`` and ``wheels``, the tags of its wheels."""


def load() -> Stored:
    """The copy."""
    stored: Stored = json.loads(FILE.read_text(encoding="utf-8"))
    return stored


def write_wheels(folder: Path, stored: Stored) -> list[str]:
    """Write wheels that hold nothing but metadata, and give uv's options that let it know no others."""
    for package, kept in stored["packages"].items():
        name, _, version = package.partition("==")
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Python: {kept['python']}"] if kept["python"] else []
        lines += [f"Requires-Dist: {one}" for one in kept["requires"]]
        lines += [f"Provides-Extra: {one}" for one in sorted(EXTRAS.get(name, ()))]
        stem = f"{name.replace('-', '_')}-{version}"
        for tag in kept["wheels"]:
            with zipfile.ZipFile(folder / f"{stem}-{tag}.whl", "w") as wheel:
                wheel.writestr(f"{stem}.dist-info/METADATA", "\n".join(lines) + "\n")
                wheel.writestr(f"{stem}.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
                wheel.writestr(f"{stem}.dist-info/RECORD", "")
    return ["--offline", "--no-index", "--find-links", str(folder), "--cache-dir", str(folder / "cache")]


def record() -> Stored:
    """Ask PyPI.

    Raises:
        UnresolvableError: A row of the table has no set of packages, or PyPI does not answer.
        SystemExit: What is said not to exist does.
    """
    asked = [(row, target, True) for row in installed() for target in row.targets]
    asked += [(row, target, False) for row in missing() for target in row.targets]
    with ThreadPoolExecutor(4) as threads:
        locks = [lock for lock in threads.map(lambda one: _locked(*one), asked) if lock]
        files: dict[str, set[str]] = {}
        for package in (package for lock in locks for package in tomllib.loads(lock)["packages"]):
            urls = {file["url"] for file in package.get("wheels", [package.get("sdist")])}
            files.setdefault(f"{package['name']}=={package['version']}", set()).update(urls)
        names = sorted(files)
        packages = dict(zip(names, threads.map(lambda name: _kept(name, sorted(files[name])), names), strict=True))
    return {"date": datetime.now(timezone.utc).date().isoformat(), "packages": packages}


def _locked(row: Row, target: Target, exists: bool) -> str:
    """uv's lock file of a row; empty where there is none and is said to be none."""
    try:
        lock = resolve(row.command, target, "--format", "pylock.toml", "--only-binary", "onnxruntime-gpu")
    except UnresolvableError as error:
        if exists or NO_SET not in str(error):
            raise
        return ""
    if not exists:
        raise SystemExit(f"{row.command} can be had on {target}: {versions(resolve(row.command, target))}")
    return lock


def _kept(package: str, urls: list[str]) -> dict[str, Any]:
    metadata = HeaderParser().parsestr(_metadata(urls[0]))
    requires = [Requirement(one) for one in metadata.get_all("Requires-Dist", [])]
    extras = EXTRAS.get(package.partition("==")[0], set())
    return {
        "python": metadata["Requires-Python"],
        "requires": [str(one) for one in requires if _may_hold(one, extras)],
        "wheels": sorted({_tag(url) for url in urls}),
    }


def _may_hold(requirement: Requirement, extras: set[str]) -> bool:
    """Whether a requirement counts on one of the machines."""
    marker = requirement.marker
    return marker is None or any(
        marker.evaluate(
            {
                "extra": extra,
                "os_name": "posix",
                "platform_machine": target.machine,
                "platform_system": "Linux",
                "sys_platform": "linux",
                "python_version": target.python,
                "python_full_version": f"{target.python}.0",
            }
        )
        for target in TARGETS
        for extra in ("", *extras)
    )


def _tag(url: str) -> str:
    stem = unquote(url).rpartition("/")[2].removesuffix(".whl")
    return ANY_MACHINE if stem.endswith(".tar.gz") else "-".join(stem.split("-")[-3:])


def _metadata(url: str) -> str:
    """The metadata in a wheel, of which only the end is fetched, or in a source archive."""
    if url.endswith(".whl"):
        with zipfile.ZipFile(_Remote(url)) as wheel:
            (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
            return wheel.read(name).decode()
    with urllib.request.urlopen(url, timeout=60) as answer, tarfile.open(fileobj=io.BytesIO(answer.read())) as archive:
        return "".join(_read(archive))


def _read(archive: tarfile.TarFile) -> Iterator[str]:
    for member in archive:
        file = archive.extractfile(member)
        if member.name.count("/") == 1 and member.name.endswith("/PKG-INFO") and file:
            yield file.read().decode()


class _Remote(io.RawIOBase):
    """A file behind a URL, read in ranges."""

    def __init__(self, url: str) -> None:
        self._url, self._at = url, 0
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=60) as answer:
            self._size = int(answer.headers["Content-Length"])

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, count: int = -1) -> bytes:
        end = self._size if count < 0 else min(self._at + count, self._size)
        if end <= self._at:
            return b""
        request = urllib.request.Request(self._url, headers={"Range": f"bytes={self._at}-{end - 1}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            data: bytes = answer.read()
        self._at += len(data)
        return data

    def readable(self) -> bool:
        return True


def main() -> None:
    """Write the copy, a package a line, and say what changed."""
    before = load()["packages"] if FILE.exists() else {}
    stored = record()
    lines = (f"{json.dumps(name)}: {json.dumps(kept)}" for name, kept in stored["packages"].items())
    packages = ",\n".join(lines)
    FILE.write_text(f'{{"date": "{stored["date"]}",\n "packages": {{\n{packages}\n}}}}\n', encoding="utf-8")
    for name in sorted(before.keys() ^ stored["packages"].keys()):
        sys.stdout.write(f"{'+' if name in stored['packages'] else '-'} {name}\n")


if __name__ == "__main__":
    main()
