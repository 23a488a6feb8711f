"""From raw inputs to tensors, in Python and in served graphs: images, texts, table columns.

May import registry and errors.
"""
