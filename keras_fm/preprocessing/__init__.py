"""Preprocessing, in Python and in served graphs: images, texts and table columns to tensors.

May import registry and errors.
"""
