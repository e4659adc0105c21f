"""Reproductions of the paper "dvaepp"."""
