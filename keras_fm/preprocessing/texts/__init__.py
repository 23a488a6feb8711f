"""Texts: `inputs` reads strings and files, `tokenizers` makes the token IDs of a vocabulary.

`python_tokenizers` makes the same without TensorFlow.

May import the modules beside this package, tables and errors.
"""
