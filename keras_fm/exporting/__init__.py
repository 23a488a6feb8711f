"""`export`: SavedModels with their signatures, warm-up requests and server files, and their checks.

May import serving, tasks, and what lies below them.
"""
