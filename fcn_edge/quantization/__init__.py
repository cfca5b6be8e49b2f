"""Images through the FP32 network to a calibration table, and table and ONNX to typed FP16 or Q/DQ ONNX. Needs onnx."""
