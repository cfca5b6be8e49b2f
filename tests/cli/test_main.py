from __future__ import annotations

import errno
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import click
import pytest

from fcn_edge.cli.main import VERBS, main
from fcn_edge.version import __version__

Run = Callable[..., Any]

HEAVY = ("numpy", "pydantic", "cv2", "torch", "onnx", "onnxruntime", "tqdm")


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from fcn_edge.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout
    assert done.stdout.endswith("HEAVY []\n")


def test_help_lists_every_verb_with_an_example(fcn_edge: Run) -> None:
    outcome = fcn_edge("--help")
    assert outcome.code == 0
    for name in VERBS:
        assert f"\n  {name} " in outcome.out
    assert "Example: fcn-edge" in outcome.out


@pytest.mark.parametrize("name", VERBS)
def test_every_command_has_json_debug_and_a_worked_example(name: str) -> None:
    command = import_module(f"fcn_edge.cli.{name}").command
    assert main.get_command(click.Context(main), name) is command
    assert command.help
    if isinstance(command, click.Group):
        commands = {f"{name} {inner}": part for inner, part in command.commands.items()}
        assert commands
    else:
        commands = {name: command}
    for words, part in commands.items():
        assert {"--json", "--debug"} <= {option for parameter in part.params for option in parameter.opts}
        assert part.help
        assert part.epilog
        assert part.epilog.startswith(f"Example: fcn-edge {words}")
        # the example is parsed, so that it cannot name an option that there is not
        arguments = shlex.split(part.epilog.removeprefix(f"Example: fcn-edge {words}"))
        problem = ""
        try:
            part.make_context(words, arguments)
        except click.UsageError as error:
            problem = error.message
        assert not problem or "does not exist" in problem, "only its files may be missing"


def test_help_on_a_full_disk(fcn_edge: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_context: click.Context) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(click.Context, "get_help", full)
    for arguments in (["--help"], ["inspect", "--help"]):
        outcome = fcn_edge(*arguments)
        assert (outcome.code, outcome.err.splitlines()[0]) == (
            6,
            "Error: The disk is full: standard output could not be written.",
        )


def test_the_version(fcn_edge: Run) -> None:
    assert __version__ in fcn_edge("--version").out


@pytest.mark.parametrize(
    "arguments", [["in\udcfe\x1b[2J\nError: a"], ["inspect", "a", "\x1b[2J\nError: b"], ["inspect", "--\x1b\nc", "a"]]
)
def test_arguments_reach_no_terminal_raw(fcn_edge: Run, arguments: list[str]) -> None:
    outcome = fcn_edge(*arguments)
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1].startswith("Error: ")
    assert outcome.err.replace("\n", "").isprintable()
    assert fcn_edge(*arguments, "--json").json["error"].isprintable()


def test_ctrl_c_before_the_verb_is_like_ctrl_c_in_it(fcn_edge: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fcn_edge.cli.main.import_module", interrupted)
    outcome = fcn_edge("inspect", "a")
    assert (outcome.code, outcome.out, outcome.err.strip()) == (130, "", "Error: Interrupted.")
    outcome = fcn_edge("inspect", "a", "--json")
    assert (outcome.code, outcome.json) == (130, {"error": "Interrupted.", "fix": "", "exit_code": 130})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fly"], "No such command 'fly'"),
        (["evaluate"], "Missing argument 'MODEL'"),
        (["evaluate", "m.onnx", "--data", "d", "--size", "100"], "is not a size"),
        (["evaluate", "m.onnx", "--data", "d", "--sise", "1"], "No such option"),
        (["data", "chek"], "No such command 'chek'"),
    ],
)
def test_a_mistake_in_the_arguments(fcn_edge: Run, arguments: list[str], says: str) -> None:
    outcome = fcn_edge(*arguments)
    assert outcome.code == 2
    assert says in outcome.err
    outcome = fcn_edge(*arguments, "--json")
    assert outcome.code == 2
    assert outcome.err == ""
    assert says in outcome.json["error"]
    assert outcome.json["exit_code"] == 2
    assert outcome.json["fix"].startswith("See fcn-edge ")
    assert outcome.json["fix"].endswith(" --help.")


def test_the_arguments_of_the_process_are_looked_at_too() -> None:
    program = "import sys; from fcn_edge.cli.main import main; sys.argv = ['fcn-edge', 'fly', '--json']; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert json.loads(done.stdout)["exit_code"] == 2
    assert done.stderr == ""


def test_help_with_json_is_still_help(fcn_edge: Run) -> None:
    outcome = fcn_edge("evaluate", "--json", "--help")
    assert outcome.code == 0
    assert outcome.out.startswith("Usage: ")
