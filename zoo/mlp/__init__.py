"""Ensemble of multilayer perceptrons for tables."""
