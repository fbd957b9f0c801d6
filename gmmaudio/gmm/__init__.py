"""Gaussian mixtures: density, statistics that add up, and the EM algorithm. Knows nothing of sound."""
