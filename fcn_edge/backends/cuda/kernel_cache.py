"""Compiled kernels on disk: a kernel is compiled once per source, architecture and compiler."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from pathlib import Path

from fcn_edge.backends.cuda.driver import Driver
from fcn_edge.errors import FcnEdgeError
from fcn_edge.io.files import replacing

__all__ = ["cache_directory", "image_of", "keep", "kept"]

_log = logging.getLogger(__name__)

_DIGEST_BYTES = 32


def cache_directory() -> Path:
    """Where compiled kernels are kept: ``kernels`` in ``$FCN_EDGE_CACHE``, or in ``fcn_edge`` of the user's cache.

    Raises:
        RuntimeError: The user has no home directory.
    """
    own = os.environ.get("FCN_EDGE_CACHE")
    if own:
        return Path(own) / "kernels"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fcn_edge" / "kernels"


def image_of(driver: Driver, source: str, name: str, directory: Path | None = None) -> bytes:
    """The code of a CUDA source for a driver's GPU, compiled when the cache does not hold it.

    A cache that cannot be written costs time at the next start, and nothing else.

    Args:
        driver: Compiles, and says for which architecture and with what.
        source: CUDA source of the whole file.
        name: Name of the file, for messages.
        directory: The cache; ``cache_directory()`` when left out.

    Raises:
        MachineError: There is no compiler, or it refuses the source.
    """
    key = hashlib.sha256("\0".join((source, driver.facts.arch, driver.compiler)).encode()).hexdigest()
    if directory is None:
        try:
            directory = cache_directory()
        except RuntimeError:
            return driver.compile(source, name)
    path = directory / f"{Path(name).stem}-{driver.facts.arch}-{key}.bin"
    image = kept(path)
    if image is None:
        image = driver.compile(source, name)
        keep(path, image)
    return image


def kept(path: Path) -> bytes | None:
    """What a file of the cache holds, as ``keep`` wrote it.

    None when it is not there or damaged; or when somebody else wrote it, or could have: it is code that runs here.
    """
    try:
        with path.open("rb") as file:
            if not (_is_own(path.parent.stat()) and _is_own(os.fstat(file.fileno()))):
                _log.info("Compiled kernels in %s are left alone: others may write there.", path.parent)
                return None
            content = file.read()
    except OSError:
        return None
    digest, image = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return image if hashlib.sha256(image).digest() == digest else None


def _is_own(status: os.stat_result) -> bool:
    """Whether a file or folder is this user's, or root's, and nobody else may write it."""
    return status.st_uid in (os.geteuid(), 0) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def keep(path: Path, image: bytes) -> None:
    """Write a file of the cache, with its hash; where that may not be written it is lost."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_bytes(hashlib.sha256(image).digest() + image)
    except (OSError, FcnEdgeError) as error:
        _log.info("Compiled kernels cannot be kept: %s", error)
