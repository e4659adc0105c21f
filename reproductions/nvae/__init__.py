"""Reproductions of NVAE."""
