"""Whether ``fcn-edge bench`` says the same twice, and whether ``compare`` finds what became slower and nothing else."""
