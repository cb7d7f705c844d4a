"""Texts in, unit vectors out: loading, roles, dimensions, precision, saving."""
