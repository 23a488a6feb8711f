"""Predictions for tables of any size on a cluster: by Ray Data or Spark, one model a worker.

`specification` says which columns a model reads and which it writes, `predictor` predicts for a
batch of rows, and `spark` for a Spark data frame. Nothing here starts or schedules processes: that
is what the engines do.

May import pipelines, and what lies below them; Keras and TensorFlow where a worker loads the model.
"""

from keras_fm.scoring.predictor import BatchPredictor
from keras_fm.scoring.spark import predict_spark

__all__ = ["BatchPredictor", "predict_spark"]
