"""OpenVINO, on x86-64 and Arm processors."""
