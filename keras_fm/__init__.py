"""keras_fm: pretrained Keras 3 models with reproducible metrics.

Public names, each with help of its own, such as `help(keras_fm.pipeline)`:

    Client: A callable from raw inputs to predictions, one dict an input, which a TF Serving
        computes.
    Explanation: What counts for each prediction. `str()` of it says it in words, `save` draws it.
    KerasFmError: Base of every error that keras_fm raises on purpose.
    Run: A finished training.
    ServerError: A server that can't be reached, is late, refuses, or answers otherwise than TF
        Serving.
    adapters: Low-rank adapters (LoRA): small changes of a model's large kernels, trained in their
        place.
    compare: Compare two classifiers or regressions on the same examples, with intervals.
    data: Data sets and users' data: examples in memory, splits, training batches and augmentation.
    drift: Say what moved between the training inputs of an export and the requests that it gets.
    evaluate: Return the metrics of a model on all examples of a split.
    explain: Explain predictions: which tokens, columns or regions speak for them, and which
        against.
    export: Write `directory/<version>/`, a SavedModel with raw inputs.
    fine_tune: Fine-tune a pretrained model for the classes or the target in a user's data.
    freeze: Freeze the layers of a model's backbone; its head stays trainable.
    get: Build a model of the zoo and load its pretrained weights.
    info: Return what is known of a model: task, data, inputs, labels, weights and their claims.
    list_models: List the names of models, in alphabetical order.
    pipeline: Return a callable from raw inputs to predictions, one dict an input.
    scoring: Predictions for tables of any size on a cluster: by Ray Data or Spark, one model a
        worker.
    train: Train a model of the zoo by its recipe, from random or pretrained weights.
    tune: Search for the recipe with the best metric on the validation examples, by Optuna.
    unfreeze: Make layers trainable again that are trainable in the model as it is built.
    verify: Measure parameters, FLOPs, file size, sha256 and metrics of a model's weights again.

Each is imported when it is first used, so that ``import keras_fm`` and ``keras_fm.list_models()``
load neither Keras nor TensorFlow.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what type checkers and editors see; at run time __getattr__ below does it
    from keras_fm import adapters as adapters
    from keras_fm import data as data
    from keras_fm import scoring as scoring
    from keras_fm.client import Client as Client
    from keras_fm.comparison.comparison import compare as compare
    from keras_fm.drift_detection.detection import drift as drift
    from keras_fm.errors import KerasFmError as KerasFmError
    from keras_fm.errors import ServerError as ServerError
    from keras_fm.evaluation.evaluation import evaluate as evaluate
    from keras_fm.evaluation.verification import verify as verify
    from keras_fm.explanation.explanation import Explanation as Explanation
    from keras_fm.explanation.explanation import explain as explain
    from keras_fm.exporting.saved_model import export as export
    from keras_fm.models.freezing import freeze as freeze
    from keras_fm.models.freezing import unfreeze as unfreeze
    from keras_fm.models.loading import get as get
    from keras_fm.pipelines import pipeline as pipeline
    from keras_fm.registry import info as info
    from keras_fm.registry import list_models as list_models
    from keras_fm.training.fine_tuning import fine_tune as fine_tune
    from keras_fm.training.runs import Run as Run
    from keras_fm.training.training import train as train
    from keras_fm.tuning.search import tune as tune

__version__ = "0.1.0"

_PUBLIC = {
    "Client": "client",
    "Explanation": "explanation.explanation",
    "KerasFmError": "errors",
    "Run": "training.runs",
    "ServerError": "errors",
    "compare": "comparison.comparison",
    "drift": "drift_detection.detection",
    "evaluate": "evaluation.evaluation",
    "explain": "explanation.explanation",
    "export": "exporting.saved_model",
    "fine_tune": "training.fine_tuning",
    "freeze": "models.freezing",
    "get": "models.loading",
    "info": "registry",
    "list_models": "registry",
    "pipeline": "pipelines",
    "train": "training.training",
    "tune": "tuning.search",
    "unfreeze": "models.freezing",
    "verify": "evaluation.verification",
}

_WITHOUT_KERAS = ("client", "data", "errors", "registry", "scoring")

_TRAIN = ("fine_tune", "train", "tune")

_MODULES = ("adapters", "data", "scoring")  # with public functions of their own

__all__ = sorted([*_PUBLIC, *_MODULES])


if not TYPE_CHECKING:  # type checkers would take any name for one of the module

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'keras_fm' has no attribute {name!r}")
        if _PUBLIC.get(name, name) not in _WITHOUT_KERAS:
            import_module("keras_fm.startup").import_keras(trains=name in _TRAIN)
        if name in _MODULES:
            return import_module(f"keras_fm.{name}")
        value = getattr(import_module(f"keras_fm.{_PUBLIC[name]}"), name)
        globals()[name] = value  # the next look-up does not come here
        return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


if "keras" in sys.modules:  # then `keras.models.load_model` opens what our models were saved as
    import_module("keras_fm.models.spec")
