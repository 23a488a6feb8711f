"""How long a measurement will take on this machine, said before it starts."""

import time

import keras

from keras_fm import registry
from keras_fm.backend import gpus, num_cores
from keras_fm.data.datasets import SAMPLE
from keras_fm.evaluation.evaluation import evaluate_model
from keras_fm.evaluation.generator_evaluation import EPOCHS
from keras_fm.formatting import format_count, format_duration
from keras_fm.progress import verbosity
from keras_fm.tasks.base import task_of
from keras_fm.tasks.image_generation.objective import NUM_GENERATED

# Floating-point operations a second of one CPU core in float32; two have some 20 billion.
CORE_FLOPS = 1e10
_SAMPLE_SHARE = 10  # the sample is at most this part of the examples
_PASSES = 3  # of a training step: forward, and twice as much backward


def measured_duration(model: keras.Model, num_examples: int) -> str:
    """Return in words how long so many examples take, by the time of the bundled sample.

    It is the end of a sentence; "" of a generator, whose images are not among the examples.
    """
    task = task_of(model)
    if task.objective.evaluator_name is not None:
        return ""
    examples = task.data.load(SAMPLE)
    # Of a text that is as long as what is measured, a part: it must not take longer than that.
    count = max(1, num_examples // _SAMPLE_SHARE)
    examples = examples.subset(slice(count), examples.description)
    with verbosity(0):
        evaluate_model(model, examples, quick=True)  # compiles
        started = time.perf_counter()
        evaluate_model(model, examples, quick=True)
    seconds = (time.perf_counter() - started) * num_examples / len(examples)
    return f": about {format_duration(seconds)}, by the time of the bundled sample"


def classifier_training(evaluator: str) -> str:
    """Describe the training that measures generated images, and how long it takes on CPU cores.

    Args:
        evaluator: The name of the classifier in the zoo.
    """
    described = (
        f"{evaluator} is trained on {NUM_GENERATED:,} generated images, in "
        f"{format_count(EPOCHS, 'epoch')}"
    )
    if gpus():
        return described
    flops = _PASSES * registry.weights_of(evaluator).flops * NUM_GENERATED * EPOCHS
    cores = num_cores()
    seconds = flops / CORE_FLOPS / cores
    return (
        f"{described}: up to {format_duration(seconds)} on {format_count(cores, 'CPU core')}, "
        "by its floating-point operations"
    )
