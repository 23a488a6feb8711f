"""Sketches of training inputs, which exports hold so that `drift` can say what moved since.

A sketch has a histogram of each number and category that `measure` computes of raw inputs, and the
mean of the embeddings: some kilobytes for any number of examples, and no example itself.

May import tasks, and what lies below them.
"""
