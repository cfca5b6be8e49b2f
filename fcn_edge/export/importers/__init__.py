"""Networks that people already have: one module a family of checkpoints, one row a family in ``registry``."""
