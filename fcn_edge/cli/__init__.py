"""The command line: one small file per verb, each importing its heavy modules inside the command."""
