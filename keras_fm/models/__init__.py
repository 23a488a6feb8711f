"""Keras models: the specification that each carries, building, loading, weights files, freezing.

May import data, layers, registry, store, and what lies below them.
"""
