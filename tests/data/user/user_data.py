"""Helpers of the tests on users' data."""

import numpy as np

from keras_fm import registry
from keras_fm.data.user.source import UserData
from keras_fm.models.spec import ModelSpec

CLASS_NAMES = ("cat", "dog", "owl")


def default_spec(name):
    return ModelSpec.of(registry.find(name)[0])


def load(name, data, seed=0, **options):
    return default_spec(name).task.data.load_user_data(UserData(data, **options), seed)


def noise(*shape, dtype="uint8"):
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
