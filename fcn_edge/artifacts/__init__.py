"""What lies in a file: models, specs, tables, engines. Read without onnx, torch or a backend."""
