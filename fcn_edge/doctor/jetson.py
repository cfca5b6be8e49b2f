"""Which JetPack a Jetson runs."""

from __future__ import annotations

from fcn_edge.doctor.check import Check
from fcn_edge.system.facts import MachineFacts
from fcn_edge.system.jetson import RELEASE, JetsonFacts

__all__ = ["jetpack"]


def jetpack(jetson: JetsonFacts, facts: MachineFacts) -> Check:
    """JetPack and L4T, and whether this process sees the board itself or a container's files."""
    version, known = jetson.l4t, jetson.jetpack
    place = "in a container" if facts.container else "on the host"
    if not version:
        fix = (
            "docker run --volume /etc/nv_tegra_release:/etc/nv_tegra_release:ro ..."
            if facts.container
            else "sudo apt-get install --reinstall nvidia-l4t-core"
        )
        return Check("JetPack", False, f"unknown {place}: /{RELEASE} is missing or says nothing", fix)
    if known is None:
        package = facts.debian.get("nvidia-jetpack")
        told = f"; the package nvidia-jetpack is {package}" if package else ""
        return Check("JetPack", True, f"L4T {version} (JetPack unknown), {place}{told}")
    found = f"{known.version} (L4T {version}), {place}"
    if jetson.too_old:
        python = ".".join(map(str, known.python))
        fix = "Flash JetPack 6.2 or newer; a board that has none runs models on its processor only."
        return Check("JetPack", False, f"{found}; its TensorRT is for Python {python}, which is too old", fix)
    return Check("JetPack", True, found)
