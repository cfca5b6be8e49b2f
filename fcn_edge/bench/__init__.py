"""Latency against accuracy: suites of models, precisions, backends and sizes, measured in interleaved rounds."""
