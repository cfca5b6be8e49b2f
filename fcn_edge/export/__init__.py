"""A trained network to a self-describing ONNX file, checked against that network. Needs the ``[export]`` extra."""
