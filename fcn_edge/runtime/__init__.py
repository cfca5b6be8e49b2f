"""Frames to masks: models loaded and run, sources of frames, sinks of masks, and the pipeline between them."""
