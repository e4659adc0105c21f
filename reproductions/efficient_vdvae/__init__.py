"""Reproductions of Efficient-VDVAE."""
