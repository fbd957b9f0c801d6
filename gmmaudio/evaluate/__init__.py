"""Figures one can trust: cross-validation, pictures, reports."""
