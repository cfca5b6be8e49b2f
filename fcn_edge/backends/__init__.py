"""What runs a network: one module a backend, behind ``Engine`` and ``Session``."""
