"""`explain`: which parts of an input count for a prediction, by occlusion, Grad-CAM or attention.

May import tasks, and what lies below them.
"""
