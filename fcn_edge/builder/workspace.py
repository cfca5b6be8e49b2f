"""Engine directories that are whole or absent: built beside their place under a temporary name, then renamed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fcn_edge.artifacts.engine_manifest import MANIFEST_FILE, TABLE_FILE
from fcn_edge.backends import registry
from fcn_edge.builder.target import Target, target_at
from fcn_edge.errors import MachineError, UsageError
from fcn_edge.io.exchange import exchanged
from fcn_edge.io.files import flush_directory, flush_tree
from fcn_edge.io.folders import make_folder
from fcn_edge.io.outputs import refuse_kept
from fcn_edge.io.temporary import temporary_directory

__all__ = ["check_replaceable", "engine_workspace", "place_engine"]


def check_replaceable(target: Target) -> None:
    """Check that an engine may be written to a path: nothing is there, an empty directory, or an engine.

    A directory that holds anything else is somebody's data and is never deleted.

    Raises:
        UsageError: Something else is there, or it would lie in another engine.
    """
    fix = "Give another directory with -o, or remove it yourself."
    place = target.path
    refuse_kept(place.absolute().parent if place.is_dir() else place)
    if not place.exists():
        return
    if not place.is_dir():
        raise UsageError(f"{place} is a file; an engine is a directory.", fix)
    names = {path.name for path in place.iterdir()}
    if not names:
        return
    if MANIFEST_FILE not in names:
        raise UsageError(f"{place} is a directory that is not an engine; it is left as it is.", fix)
    known = _engine_files(target)
    strange = sorted(
        path.name for path in place.iterdir() if path.name not in known or path.is_symlink() or not path.is_file()
    )
    if strange:
        raise UsageError(f"{place} holds {strange[0]}, which is not part of an engine; it is left as it is.", fix)


@contextmanager
def engine_workspace(parent: Path) -> Iterator[Path]:
    """A temporary directory in the one that an engine will lie in, made if need be; it vanishes with the block.

    Raises:
        UsageError: ``parent`` may not be written.
        MachineError: The disk is full.
    """
    try:
        make_folder(parent)
        with temporary_directory(parent) as workspace:
            yield workspace
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise MachineError(
                f"The disk is full: no engine could be written to {parent}.", "Free some space."
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EACCES, errno.EROFS, errno.EPERM):
            raise UsageError(
                f"No engine could be written to {parent}: {error.strerror}.", "Give a directory that is yours with -o."
            ) from error
        raise


def place_engine(fresh: Path, target: Path) -> None:
    """Put a complete engine of a workspace into its place, once the disk has all of it.

    An engine that is there already changes places with the new one, in one step where the file system can do that, and
    vanishes with the workspace.

    Args:
        fresh: The new engine, in the workspace of the directory that ``target`` lies in.
        target: Where it shall lie.

    Raises:
        UsageError: Something that is not an engine lies there.
    """
    target = Path(os.path.realpath(target))  # a link to an engine stays a link
    check_replaceable(target_at(target))  # again: a build may have taken minutes
    flush_tree(fresh)
    if not (target.exists() and any(target.iterdir())):
        os.replace(fresh, target)  # takes the place of an empty directory too
    elif not exchanged(fresh, target):
        _replace_in_two_steps(fresh, target)
    flush_directory(target.parent)


def _replace_in_two_steps(fresh: Path, target: Path) -> None:
    old = fresh.with_name(f"{fresh.name}.old")
    os.replace(target, old)
    try:
        os.replace(fresh, target)
    except BaseException:  # Ctrl-C between the two must not leave nothing
        if not target.exists():
            os.replace(old, target)
        raise


def _engine_files(target: Target) -> set[str]:
    """Names that belong to an engine; of one whose manifest is damaged, what backends call their files."""
    if target.manifest is not None:
        return {MANIFEST_FILE, *target.manifest.files}
    backends = [registry.backend(name) for name in registry.BACKENDS]
    return {MANIFEST_FILE, TABLE_FILE, *(name for made in backends for name in (made.plan_file, *made.extra_files))}
