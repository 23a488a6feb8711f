"""Corruptions of images and texts, by which `evaluate` measures robustness.

May import what lies below tasks.
"""
