"""Calibration of classifiers: temperature, conformal prediction sets, an in-distribution score.

Free of Keras and TensorFlow; a model's specification carries a `Calibration`, which its predictions
and the signatures of its exports apply.

May import errors, options, and what lies below them.
"""
