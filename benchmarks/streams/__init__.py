"""What sources, sinks and pacing are measured with."""
