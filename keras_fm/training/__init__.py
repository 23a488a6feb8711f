"""`train` and `fine_tune`: jobs, the training itself, callbacks, checkpoints and run directories.

May import evaluation, tasks, and what lies below them.
"""
