"""Cameras and display."""

from __future__ import annotations

from fcn_edge.doctor.check import Check
from fcn_edge.system.facts import MachineFacts

__all__ = ["cameras", "display"]


def cameras(facts: MachineFacts) -> Check:
    """Video devices that can be a SOURCE."""
    devices = [camera for camera in facts.cameras if camera.exists]
    if not devices:
        fix = "Plug in a camera, or give a file or synthetic://street as SOURCE."
        return Check("cameras", False, "none in /dev/video*", fix)
    found = ", ".join(f"{camera.device}{f' ({camera.name})' if camera.name else ''}" for camera in devices)
    closed = ", ".join(camera.device for camera in devices if not camera.may_open)
    if closed:
        fix = 'sudo usermod -aG video "$USER", then log in again'
        return Check("cameras", False, f"{found}; {closed} may not be opened", fix)
    return Check("cameras", True, found)


def display(facts: MachineFacts) -> Check:
    """A screen, and an OpenCV that can open windows on it."""
    name, environ = "display", facts.environment
    where = next((key for key in ("WAYLAND_DISPLAY", "DISPLAY") if environ.get(key)), None)
    if where is None:
        fix = "Run at the machine's own screen or with ssh -X, or write to a file instead of the SINK display."
        return Check(name, False, "neither DISPLAY nor WAYLAND_DISPLAY is set", fix)
    if facts.software.opencv.gui == "NONE":
        fix = "pip uninstall -y opencv-python-headless && pip install opencv-python"
        return Check(name, False, f"{where}={environ[where]}, and this OpenCV opens no windows", fix)
    return Check(name, True, f"{where}={environ[where]}")
