"""Files, images, videos and documents, read and written whole."""
