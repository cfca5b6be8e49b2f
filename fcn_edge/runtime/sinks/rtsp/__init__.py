"""Video for other programs: RTSP that is hosted here, or pushed to a server."""
