"""PyTorch implementation of the papers' systems."""
