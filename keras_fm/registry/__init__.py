"""From a model's name to its folder: entries, recipes, their schemas, and TOML.

May import errors, options and what writes values for readers. Starts fast: no Keras, TensorFlow or
msgspec before a model is looked at.
"""

from keras_fm.registry.packages import (
    ENTRY_POINTS,
    OWN_DATA_RECIPE,
    PRETRAINING,
    RECIPE,
    ModelPackage,
    clear_cache,
    find,
    info,
    list_models,
    packages,
    weights_of,
)

__all__ = [
    "ENTRY_POINTS",
    "OWN_DATA_RECIPE",
    "PRETRAINING",
    "RECIPE",
    "ModelPackage",
    "clear_cache",
    "find",
    "info",
    "list_models",
    "packages",
    "weights_of",
]
