"""Texts: `inputs` reads strings and files, `tokenizers` makes the token IDs of a vocabulary.

May import the modules beside this package, tables and errors.
"""
