"""`export`: SavedModels with their signatures, warm-up requests and server files, and their checks.

May import evaluation, serving, tasks, and what lies below them.
"""
