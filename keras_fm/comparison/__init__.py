"""`compare`: two models, runs or exports on the same examples.

May import evaluation, exporting, tasks, and what lies below them.
"""
