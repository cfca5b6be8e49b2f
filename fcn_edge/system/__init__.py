"""What this machine is: processor, memory, board, GPU and software, read once into one object."""
