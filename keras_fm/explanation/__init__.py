"""`explain`: which parts of an input count for a prediction, and which columns over a data set.

May import evaluation and tasks, and what lies below them.
"""
