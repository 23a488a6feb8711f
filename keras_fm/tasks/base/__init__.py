"""The base class of each part of a task, in the module that has that part in a task's package.

A `Task` belongs to one `ModelSpec`, whose `task` it is. The rest of the library is the same for
every model; what depends on the task, it asks here.
"""

from keras_fm.tasks.base.data import TaskData
from keras_fm.tasks.base.example_scores import ExampleScores
from keras_fm.tasks.base.objective import Objective, OnMetrics, ScoredObjective
from keras_fm.tasks.base.predict import (
    PREDICT_BATCH_SIZE,
    ExplainablePredictor,
    ExplainedInput,
    Predictor,
)
from keras_fm.tasks.base.serve import Serving, Signature, Signatures, call_any_batch
from keras_fm.tasks.base.summaries import Images, ProjectorPoints, Summaries
from keras_fm.tasks.base.task import Task, task_of

__all__ = [
    "PREDICT_BATCH_SIZE",
    "ExampleScores",
    "ExplainablePredictor",
    "ExplainedInput",
    "Images",
    "Objective",
    "OnMetrics",
    "Predictor",
    "ProjectorPoints",
    "ScoredObjective",
    "Serving",
    "Signature",
    "Signatures",
    "Summaries",
    "Task",
    "TaskData",
    "call_any_batch",
    "task_of",
]
