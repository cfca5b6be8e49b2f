from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.datasets.class_names import labels_from_text
from fcn_edge.errors import FcnEdgeError, MachineError, ModelError, SourceError, UsageError
from fcn_edge.io.lookups import lookup_errors
from fcn_edge.runtime.sinks.registry import check_series, of_source
from fcn_edge.runtime.sources.registry import open_source

LONG = "a" * 300


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (lambda: resolved_model(LONG), ModelError),
        (lambda: labels_from_text(LONG), UsageError),
        (lambda: of_source(f"{LONG}.png", "front"), UsageError),
        (lambda: check_series([f"{LONG}.mp4"], 60, None), UsageError),
        (lambda: open_source(f"/dev/{LONG}"), SourceError),
    ],
)
def test_name_that_is_too_long_is_an_error_of_ours(read: Callable[[], object], kind: type[FcnEdgeError]) -> None:
    with pytest.raises(kind, match=r"aaa.*: File name too long\.") as caught:
        read()
    assert caught.value.fix


def test_passwords_in_mistyped_addresses_are_hidden() -> None:
    with pytest.raises(UsageError, match=r"me:\*\*\*@cam") as caught, lookup_errors(UsageError):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "rtsp:/me:secret@cam/x")
    assert "secret" not in caught.value.message


def test_what_the_machine_lacks_and_errors_without_a_path_stay_what_they_are() -> None:
    with pytest.raises(MachineError, match="as many files open as it may"), lookup_errors(UsageError):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "a")
    with pytest.raises(OSError, match="Broken pipe"), lookup_errors(UsageError):
        raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))
