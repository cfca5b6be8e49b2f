"""The live page: what a run sees, in a browser; with metrics for monitoring and an interface that changes sources."""
