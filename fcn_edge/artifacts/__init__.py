"""What is in a file on disk: the documents of fcn_edge, read without onnx, torch or a backend."""
