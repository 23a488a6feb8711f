"""The optimizer and the learning-rate schedule of a recipe.

May import registry and errors.
"""
