"""Preprocessing, in Python and in served graphs: images, tables and texts to tensors.

A room for each kind of input, whose `inputs` reads what users pass without importing TensorFlow, so
that the client of a server starts fast. What all of them need lies beside the rooms.

May import registry and errors.
"""
