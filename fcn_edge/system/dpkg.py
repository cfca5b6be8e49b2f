"""Versions of Debian packages, from dpkg's own record."""

from __future__ import annotations

import re
from pathlib import Path

from fcn_edge.system.text import text_of

__all__ = ["package_version"]


def package_version(root: Path, name: str) -> str:
    """Version of an installed Debian package, such as ``10.3.0.30-1+cuda12.5``; empty when it is not installed."""
    for paragraph in text_of(root / "var/lib/dpkg/status").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Package") == name and fields.get("Status", "").endswith(" installed"):
            return str(fields.get("Version", ""))
    return ""
