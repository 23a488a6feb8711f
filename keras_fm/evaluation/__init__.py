"""`evaluate` and `verify`: metrics on whole splits, linear probes, evaluation of generators.

May import tasks, and what lies below them.
"""
