"""Training of the networks, in stages. Needs the ``[export]`` extra."""
