"""The command line: one small file a verb, each importing its heavy modules inside the command."""
