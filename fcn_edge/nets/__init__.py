"""The trained networks, in PyTorch: encoders, decoders, training. Needs the ``[export]`` extra."""
