"""Reproductions of the paper "sigma-vae"."""
