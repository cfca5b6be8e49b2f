"""Versions of Debian packages, from dpkg's own record."""

from __future__ import annotations

import re
from pathlib import Path

from fcn_edge.system.text import text_of

__all__ = ["package_versions"]


def package_versions(root: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Versions of Debian packages, such as ``10.3.0.30-1+cuda12.5``; those that are not installed are left out.

    Args:
        root: Where ``/var/lib/dpkg`` is found.
        names: The packages.
    """
    found = {}
    for paragraph in text_of(root / "var/lib/dpkg/status").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Package") in names and fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields.get("Version", "")
    return {name: version for name, version in found.items() if version}
