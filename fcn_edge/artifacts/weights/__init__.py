"""Weights files of anybody: PyTorch checkpoints, safetensors, NumPy archives, read without running what they name."""

from fcn_edge.artifacts.weights.others import not_taken
from fcn_edge.artifacts.weights.reading import weights_of, zip_members
from fcn_edge.artifacts.weights.tensors import StoredTensor, Weights
from fcn_edge.artifacts.weights.variants import variants

__all__ = ["StoredTensor", "Weights", "not_taken", "variants", "weights_of", "zip_members"]
