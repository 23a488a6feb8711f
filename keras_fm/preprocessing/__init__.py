"""Preprocessing, in Python and in served graphs: images, tables and texts to tensors.

Each kind of input has a package, whose `inputs` reads what users pass. It imports no TensorFlow, so
that the client of a server starts fast.

May import registry, store and errors.
"""
