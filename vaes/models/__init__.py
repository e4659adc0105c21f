"""The systems: one module each, with the papers' named configurations."""
