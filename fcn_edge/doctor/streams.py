"""What live cameras need beside OpenCV: GStreamer of the system, the board's video engine, groups."""

from __future__ import annotations

from fcn_edge.doctor.check import Check
from fcn_edge.runtime.sinks.encoders.choice import chosen, problem_of
from fcn_edge.runtime.sinks.encoders.elements import BOARD, KERNELS, NVIDIAS
from fcn_edge.system.account import CONTAINER_GROUPS
from fcn_edge.system.facts import MachineFacts
from fcn_edge.system.gstreamer import APT, SYSTEM_PYTHON, WATCHED_ON_BOARDS
from fcn_edge.system.jetson import JetsonFacts
from fcn_edge.system.video_encoder import may_have_encoder

__all__ = ["encoder", "groups", "gstreamer", "video_engine"]

PURPOSE = "for csi:// and gst:// and decoding on a board"
ON_BOARD = "sudo apt-get install nvidia-l4t-gstreamer nvidia-l4t-camera"
ORIN = "36."
"""How the L4T of JetPack 6 begins, on whose boards the GPU's kernel module is ``nvgpu``."""


def gstreamer(facts: MachineFacts) -> Check:
    """GStreamer, its binding for the system's Python, and its plugins."""
    name, found = "GStreamer", facts.gstreamer
    if not found.python:
        return Check(name, False, f"no {SYSTEM_PYTHON}; it is {PURPOSE}", f"sudo apt-get install {' '.join(APT)}")
    if not found.version:
        lacks = f"{SYSTEM_PYTHON} has no binding for it; it is {PURPOSE}"
        return Check(name, False, lacks, f"sudo apt-get install {' '.join(APT)}")
    missing = [element for element in found.missing if element not in WATCHED_ON_BOARDS]
    if missing:
        fix = f"sudo apt-get install {' '.join(found.packages)}"
        return Check(name, False, f"{found.version}, without {', '.join(missing)}", fix)
    return Check(name, True, f"{found.version} with the plugins base, good, bad and libav")


def video_engine(jetson: JetsonFacts, facts: MachineFacts) -> Check | None:
    """The board's decoder and cameras in GStreamer; None where there is no GStreamer, which is a check of its own."""
    name, found = "video engine", facts.gstreamer
    if not found.version:
        return None
    missing = [element for element in found.missing if element in WATCHED_ON_BOARDS]
    if missing:
        fix = "docker run --runtime nvidia ..." if facts.container else ON_BOARD
        return Check(name, False, f"GStreamer has no {', '.join(missing)}", fix)
    # NVIDIA's plugin asks lsmod which board this is; without an answer it starts and never gives a frame
    if not found.lsmod:
        fix = "apt-get install kmod, in the image where this is a container"
        return Check(name, False, "nvv4l2decoder never gives a frame without the program lsmod", fix)
    if not found.nvgpu and jetson.l4t.startswith(ORIN):
        fix = "sudo modprobe nvgpu, on the board itself where this is a container"
        return Check(name, False, "nvv4l2decoder never gives a frame where lsmod does not list nvgpu", fix)
    return Check(
        name, True, f"{', '.join(WATCHED_ON_BOARDS)}; lsmod {'lists' if found.nvgpu else 'is here, without'} nvgpu"
    )


def encoder(facts: MachineFacts) -> Check:
    """What encodes videos; asked of this installation, as its backends are: hardware has to encode a picture for it."""
    name, choice = "video encoder", chosen()
    if choice is None:
        found = "MPEG-4 by OpenCV, which browsers do not play"
        return Check(name, False, found, "pip install 'fcn_edge[streams]'")
    if choice.name in BOARD:
        return Check(name, True, f"{choice.name}, this machine's own, for H.264")
    problem = problem_of(NVIDIAS if facts.jetson is not None else KERNELS) if may_have_encoder() else None
    return Check(name, True, f"{choice.name}, on the processor, for H.264{f'. {problem.message}' if problem else ''}")


def groups(facts: MachineFacts) -> Check | None:
    """The account's groups; None where there is no device that asks for one."""
    account = facts.account
    # a container's own render may have another number than the device file, which may be open all the same
    opens = facts.container and facts.nvidia is not None and not facts.nvidia.closed
    needed = {
        "video": facts.jetson is not None or any(camera.exists for camera in facts.cameras),
        "render": facts.jetson is not None and not opens,
    }
    if account.is_root or not any(needed.values()):
        return None
    missing = [name for name in account.others if needed[name]]
    listed = ", ".join(account.groups) or "none"
    if missing:
        joined = f'sudo usermod -aG {",".join(missing)} "$USER", then log in again'
        fix = f"docker run {CONTAINER_GROUPS} ..." if facts.container and facts.jetson else joined
        return Check("groups", False, f"{listed}; devices belong to {' and '.join(missing)}, too", fix)
    return Check("groups", True, listed)
