"""Where a training keeps what it goes on from after a kill: outside of every work tree, found again by what it does."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeGuard

import torch
from pydantic import ValidationError

from fcn_edge.artifacts.spec import DECODER_STRIDES
from fcn_edge.datasets import LabeledSplit
from fcn_edge.datasets.fingerprint import fingerprint_of
from fcn_edge.errors import CheckpointError, DatasetError, UsageError
from fcn_edge.io.files import replacing, sha256_of
from fcn_edge.io.folders import make_folder
from fcn_edge.io.runs import runs_directory
from fcn_edge.io.temporary import remove_leftovers
from fcn_edge.training.recipe import Recipe
from fcn_edge.training.trainset import Extras

__all__ = ["Run"]

STATE_FILE = "state.pt"
PREVIOUS_FILE = "state.previous.pt"


class Run:
    """The folder of one training, named after its recipe, its data and the weights that it starts from.

    The same training started again, from another directory or another clone, has the same folder. Settings that have
    their default do not count in the name, so that a run outlives an update that brings new settings; the state holds
    the whole recipe and is held against it.

    Args:
        recipe: What is done.
        train: Training images; their names and sizes count.
        val: Validation images, likewise.
        init: Files of the weights that the training starts from; their bytes count.
        extras: Teachers, whose bytes count, and unlabeled images, whose names and sizes do.

    Attributes:
        folder: The folder; made by ``held``, gone after ``finish``.
        damaged: Whether ``saved`` found the newest state damaged and gave the one before.

    Raises:
        CheckpointError: A file of ``init`` or a teacher cannot be read.
        DatasetError: An unlabeled image cannot be read.
    """

    def __init__(
        self, recipe: Recipe, train: LabeledSplit, val: LabeledSplit, init: Sequence[Path], extras: Extras
    ) -> None:
        self._recipe = recipe
        self._inputs = {
            "train": fingerprint_of(train),
            "val": fingerprint_of(val),
            "init": " ".join(map(_bytes_of, init)),
            **({"extras": _digest(extras)} if extras != Extras() else {}),
        }
        self.damaged = False
        settings = recipe.model_dump(mode="json", exclude_defaults=True)
        identity = json.dumps([settings, self._inputs], sort_keys=True)
        finest = min(recipe.stages[-1].decoders, key=DECODER_STRIDES.__getitem__)
        name = re.sub(r"[^\w.-]+", "-", f"{train.info.name}-{recipe.encoder}-{finest}")
        self.folder = runs_directory() / f"{name}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder, and keep other processes from training in it while the block runs.

        A folder that is empty in the end is removed.

        Raises:
            UsageError: The folder cannot be made, or another process trains in it.
        """
        directory = self._locked()
        try:
            remove_leftovers(self.folder)
            yield
        finally:
            # only the lock's own folder: after finish another process may have made a new one
            if self._is_folder(directory):
                with suppress(OSError):
                    self.folder.rmdir()
            os.close(directory)

    def _locked(self) -> int:
        """A descriptor of the folder that holds its lock."""
        while True:
            try:
                make_folder(self.folder)
                try:
                    directory = os.open(self.folder, os.O_RDONLY)
                except FileNotFoundError:
                    continue  # its last holder removed it just now
            except OSError as error:
                raise UsageError(
                    f"{self.folder}, where the state of this training is kept, could not be made: {error.strerror}.",
                    "Set FCN_EDGE_RUNS to a directory that is yours.",
                ) from error
            locked = False
            try:
                fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # its last holder may have removed it since we opened it: the lock would be one of nothing
                locked = self._is_folder(directory)
            except BlockingIOError as error:
                raise UsageError(
                    f"Another process does this training; it keeps its state in {self.folder}.",
                    "Wait for it or stop it, or give another seed.",
                ) from error
            finally:
                if not locked:
                    os.close(directory)
            if locked:
                return directory

    def _is_folder(self, directory: int) -> bool:
        """Whether the folder that was opened is still there, and is no later one of the same name."""
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(directory), self.folder.stat())
        return False

    def save(self, state: dict[str, Any]) -> None:
        """Keep the state of the training, whole or not at all, and the one before it.

        It is on the disk when this returns, so that a power cut costs no more than a kill.
        """
        # a damaged state does not take the place of the good one before it
        before = None if self.damaged else self.folder / PREVIOUS_FILE
        with replacing(self.folder / STATE_FILE, before=before, durable=True) as temporary:
            torch.save({**state, "recipe": self._recipe.model_dump_json(), "inputs": self._inputs}, temporary)
        self.damaged = False

    def saved(self) -> dict[str, Any] | None:
        """What ``save`` kept last, or before that where the last is damaged; None when there is nothing.

        Nothing but numbers, texts and tensors is unpickled.

        Raises:
            CheckpointError: Both files are damaged, or one cannot be opened or is the state of another training.
        """
        paths = [path for path in (self.folder / STATE_FILE, self.folder / PREVIOUS_FILE) if path.is_file()]
        damages: list[CheckpointError] = []
        for path in paths:
            state = self._read(path)
            if not isinstance(state, CheckpointError):
                self.damaged = bool(damages)
                return state
            damages.append(state)
        if damages:
            raise damages[0]
        return None

    def _read(self, path: Path) -> dict[str, Any] | CheckpointError:
        """The state in a file, or how it is damaged."""
        anew = f"Remove {self.folder} to start the training anew."
        try:
            with path.open("rb") as file, warnings.catch_warnings():
                # what torch says of the pickle of a damaged file helps nobody
                warnings.simplefilter("ignore")
                state = torch.load(file, map_location="cpu", weights_only=True)
        except OSError as error:
            raise CheckpointError(
                f"{path} could not be read: {error.strerror}.", f"Make it readable. {anew}"
            ) from error
        except Exception as error:  # whatever torch's unpickler stumbles over in damaged bytes
            damage = CheckpointError(f"{path} cannot be read as the state of a training: it is damaged.", anew)
            damage.__cause__ = error
            return damage
        if not _is_state(state):
            return CheckpointError(f"{path} is not a training state.", anew)
        try:
            same = Recipe.model_validate_json(state["recipe"]) == self._recipe
        except ValidationError:
            same = False
        if not (same and state["inputs"] == self._inputs):
            raise CheckpointError(f"{path} is the state of a training with another recipe.", anew)
        return state

    def finish(self) -> None:
        """Remove the folder: the training is done, and its results lie elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _is_state(state: object) -> TypeGuard[dict[str, Any]]:
    """Whether a file's content has the parts that ``Run.save`` writes; what is in the trainer's, that one finds out."""
    return (
        isinstance(state, dict)
        and isinstance(state.get("recipe"), str)
        and isinstance(state.get("inputs"), dict)
        and isinstance(state.get("trainer"), dict)
        and isinstance(state.get("ran"), list)
        and all(isinstance(epochs, int) for epochs in state["ran"])
        and isinstance(state.get("log"), list)
        and all(isinstance(row, dict) for row in state["log"])
    )


def _digest(extras: Extras) -> str:
    lines = [_bytes_of(path) for path in extras.teachers]
    lines += [f"{path.name} {_length_of(path)}" for path in extras.unlabeled]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _bytes_of(weights: Path) -> str:
    try:
        return sha256_of(weights)
    except OSError as error:
        raise CheckpointError(f"{weights} could not be read: {error.strerror}.", "Check the path.") from error


def _length_of(image: Path) -> int:
    try:
        return image.stat().st_size
    except OSError as error:
        raise DatasetError(f"{image} could not be read: {error.strerror}.", "Remove it, or mend the link.") from error
