"""The networks, in PyTorch: encoders, decoders, checkpoints. Needs the ``[export]`` extra."""
