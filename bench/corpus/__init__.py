"""Generators of notebooks with known answers; they import nothing of what they measure."""
