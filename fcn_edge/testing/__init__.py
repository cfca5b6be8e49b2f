"""Stand-ins for engines and GPUs, for tests of fcn_edge and of what is built on it."""
