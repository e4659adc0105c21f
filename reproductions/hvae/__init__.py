"""Reproductions of the Hermite VAE: Variance Reduction in Hierarchical Variational Autoencoders."""
