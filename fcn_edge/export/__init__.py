"""A trained checkpoint to a self-describing ONNX file, checked against torch. Needs the ``[export]`` extra."""
