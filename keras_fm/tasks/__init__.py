"""What depends on the kind of model: one package a task, of the same modules.

data        what a model is trained and evaluated on: loading, checks, batches
objective   loss, metrics, evaluation, baseline
predict     raw inputs to predictions, and what an explanation needs
serve       the signatures of an export
codec       the same predictions from a running server; free of Keras and TensorFlow
recipe      the fields of its training recipes
task        the class that puts them together

May import data, layers, models, optimizers, preprocessing, trainers, and what lies below them.
"""
