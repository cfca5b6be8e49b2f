"""A typed ONNX file to a TensorRT plan, in a process of its own."""
