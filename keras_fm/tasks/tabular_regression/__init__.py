"""Regression on rows: a table's columns in, a value out."""
