"""Version and elements of GStreamer as one line of JSON: run by the system's own Python, which alone has ``gi``.

Nothing but ``gi`` and the standard library of Python 3.8 is imported. Without ``gi`` nothing is printed.
"""

import json
import sys

__all__ = ["main"]


def main() -> None:
    """Print what there is."""
    try:
        import gi

        gi.require_version("Gst", "1.0")
        from gi.repository import Gst
    except (ImportError, ValueError):
        return
    Gst.init(None)
    factories = Gst.Registry.get().get_feature_list(Gst.ElementFactory)
    version = ".".join(str(part) for part in Gst.version()[:3])
    sys.stdout.write(json.dumps({"version": version, "elements": sorted(one.get_name() for one in factories)}))


if __name__ == "__main__":
    main()
