"""What makes H.264 of pictures: libx264 in PyAV, or an element of the system's GStreamer, such as a board's encoder."""
