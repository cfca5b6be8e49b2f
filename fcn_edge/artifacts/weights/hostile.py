"""What no checkpoint needs a pickle to name: functions that run code or touch the system when they are called.

Names are those of Python's own library. Everything else becomes a placeholder that does nothing, so that this list
is no fence: it is there to tell the owner of a file that it was made to do harm.
"""

from __future__ import annotations

import re

__all__ = ["is_hostile"]

_MODULE_NAMES = """
_osx_support _pickle _posixsubprocess _socket _winapi _xxsubinterpreters asyncio bdb cPickle commands ctypes
doctest ensurepip ftplib imaplib imp importlib marshal msvcrt nntplib nt operator os pdb pickle pip pkgutil
popen2 poplib posix pty pydoc runpy shelve shutil smtplib socket socketserver subprocess sys sysconfig tarfile
telnetlib tempfile timeit urllib urllib2 webbrowser winreg zipfile zipimport
"""
_MODULES = frozenset(_MODULE_NAMES.split())
_FUNCTIONS = {
    "builtins": "__build_class__ __import__ breakpoint compile delattr eval exec execfile exit file globals help input "
    "locals open quit raw_input reload setattr vars",
    "_io": "FileIO open open_code",
    "cProfile": "Profile run runctx",
    "code": "InteractiveConsole InteractiveInterpreter compile_command interact",
    "codeop": "Compile CommandCompiler compile_command",
    "functools": "reduce singledispatch singledispatchmethod",
    "io": "FileIO OpenWrapper open open_code",
    "logging.config": "dictConfig fileConfig listen",
    "multiprocessing.util": "spawnv_passfds",
    "platform": "popen",
    "profile": "Profile run runctx",
    "threading": "Thread Timer",
    "torch": "load",
    "torch.hub": "load load_state_dict_from_url download_url_to_file",
    "torch.jit": "load",
    "torch.serialization": "load",
    "torch.utils.collect_env": "run run_and_read_all",
    "torch.utils.cpp_extension": "load load_inline",
    "uuid": "_get_command_stdout _popen",
}
_NAMES = frozenset(f"{module}.{name}" for module, names in _FUNCTIONS.items() for name in names.split())
_ATTRIBUTES = frozenset(
    {"__builtins__", "__class__", "__dict__", "__globals__", "__loader__", "__self__", "__subclasses__"}
)
"""By which one gets from a harmless function to any other."""

_PATHS = re.compile(r"pathlib(\._local)?\.(Pure)?(Posix|Windows)?Path\.\w+")
"""Methods of pathlib's classes; the classes are in many checkpoints' arguments."""


def is_hostile(module: str, name: str) -> bool:
    """Whether ``name`` of ``module``, such as ``system`` of ``posix``, is something that only an attack calls."""
    full = f"{module}.{name}"
    if module.split(".")[0] in _MODULES or full in _NAMES or _PATHS.fullmatch(full):
        return True
    # os and others reached through a module that imports them, as in os.system of logging
    parts = name.split(".")
    reached = not _MODULES.isdisjoint(parts[:-1]) or not _ATTRIBUTES.isdisjoint(parts)
    return reached or f"{module}.{parts[0]}" in _NAMES
