"""Labels and scores: training one mixture per class, and deciding."""
