"""Placements of least cost: annealed, and proven."""
