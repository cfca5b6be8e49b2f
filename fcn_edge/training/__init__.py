"""Training FCNs: the paper's stages with a modern schedule, on folders of labeled images or rendered streets."""
