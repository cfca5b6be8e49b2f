"""``fcn-edge``: finds the verb and imports nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import click

from fcn_edge.cli.signals import INTERRUPTED, quiet_until_exit
from fcn_edge.cli.streams import discard_output, prepare_streams
from fcn_edge.io.json_text import json_text
from fcn_edge.text import printable
from fcn_edge.version import __version__

__all__ = ["VERBS", "main"]

VERBS = {
    "run": "Masks for a video, folder, camera or rendered street.",
    "evaluate": "mIoU and the paper's other measures on labeled images.",
    "train": "Train an FCN: the paper's stages or all decoders at once.",
    "export": "A trained network, yours or others', to the ONNX file that the other commands take.",
    "calibrate": "Images through the float network, to the table that INT8 is built with.",
    "build": "An engine directory for this machine.",
    "bench": "Latency against accuracy, a row per model, precision, backend and size.",
    "data": "Check a data set, or import one from color masks and other ids.",
    "compare": "Whether one benchmark run is worse than another; exit code 4 if it is.",
    "choose": "The model, precision and size that meet limits of speed, accuracy and power.",
    "inspect": "What is in a model, checkpoint or engine.",
    "doctor": "What this machine has, and the command that fixes what is missing.",
}


_LONGEST_MESSAGE = 1000


@contextmanager
def _told_well() -> Iterator[None]:
    """Click repeats what it does not understand, which may be an address with its password, or control characters."""
    try:
        yield
    except click.ClickException as error:
        from fcn_edge.io.redaction import prose_without_passwords

        message = printable(error.message, _LONGEST_MESSAGE)
        vars(error)["message"] = prose_without_passwords(message)  # click calls it final
        raise


def _print_json(error: str, fix: str, code: int) -> None:
    click.echo(json_text({"error": error, "fix": fix, "exit_code": code}))


def _untold(error: OSError) -> int:
    """Say that standard output takes nothing; returns the exit code."""
    from fcn_edge.io.machine import machine_fault

    fault = machine_fault(error, "standard output")
    if fault is None:
        raise error
    discard_output(sys.stdout)
    with suppress(OSError):
        click.echo(f"Error: {fault.message}\nFix: {fault.fix}", err=True)
    return fault.exit_code


class _LazyGroup(click.Group):
    """Lists the verbs without importing them, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in VERBS:
            return None
        command: click.Command = import_module(f"fcn_edge.cli.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; an address in its place is refused without its password."""
        if args and "://" in args[0]:
            from fcn_edge.io.redaction import without_passwords

            shown = without_passwords(printable(args[0], _LONGEST_MESSAGE))
            ctx.fail(f"{shown} is an address; a command was expected, such as run.")
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Take the arguments in front of the verb; mistakes in them are reported without passwords."""
        with _told_well():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Find the verb and run it; mistakes in the arguments are reported without the passwords of addresses."""
        with _told_well():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run and exit; mistakes in the arguments are told as the verbs tell theirs, under ``--json`` as JSON."""
        if args is None:
            quiet_until_exit()
        prepare_streams()
        args = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(args, *rest, **{**extra, "standalone_mode": False})
        except click.ClickException as error:
            code = error.exit_code
            if "--json" in args:
                path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "fcn-edge"
                _print_json(error.format_message(), f"See {path} --help.", code)
            else:
                try:
                    error.show()
                except OSError:  # a full disk behind 2>
                    discard_output(sys.stderr)
        except OSError as error:  # of --help and --version; a verb tells its own
            code = _untold(error)
        except click.Abort:  # Ctrl-C before the verb takes care of it, such as while its module is imported
            code = INTERRUPTED
            if "--json" in args:
                _print_json("Interrupted.", "", code)
            else:
                click.echo("Error: Interrupted.", err=True)
        sys.exit(code)


@click.command(
    "fcn-edge",
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: fcn-edge run camvid-mobilenet_v2-fcn8s drive.mp4 masks.mp4",
)
@click.version_option(__version__, prog_name="fcn-edge")
def main() -> None:
    """Put a trained fully convolutional network on an edge GPU, or on a plain CPU."""
