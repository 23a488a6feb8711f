"""What all classifiers share: a user's classes, and the examples that have one."""

import numpy as np
import pytest

from keras_fm import registry
from keras_fm.data.user_data import UserData
from keras_fm.errors import DataWarning
from keras_fm.models.spec import ModelSpec

SHADES = np.arange(24)
WITHOUT_LABEL = 5


@pytest.fixture
def task():
    return ModelSpec.of(registry.find("cifar_cnn_basic")[0]).task


@pytest.fixture
def user_data():
    """Images of one shade each, whose class it tells; one has none."""
    images = np.broadcast_to(SHADES[:, None, None, None], (24, 32, 32, 3)).astype("uint8")
    labels = ["cat" if shade % 2 == 0 else "dog" for shade in SHADES]
    labels[WITHOUT_LABEL] = None
    return UserData((images, labels))


def shades_of(examples):
    shades = examples.inputs[:, 0, 0, 0]
    assert sorted(shades) == [shade for shade in SHADES if shade != WITHOUT_LABEL]
    return shades


@pytest.mark.filterwarnings("ignore::keras_fm.errors.DataWarning")
def test_a_users_examples_are_in_an_order_by_the_seed_with_their_own_classes(task, user_data):
    orders = []
    for seed in (0, 0, 1):
        spec, examples, _ = task.data.load_user_data(user_data, seed)
        shades = shades_of(examples)
        assert spec.labels == ("cat", "dog")
        assert examples.targets.tolist() == (shades % 2).tolist()
        orders.append(shades.tolist())
    assert orders[0] == orders[1] != sorted(orders[0])
    assert orders[0] != orders[2]


def test_examples_without_a_label_are_not_evaluated(task, user_data):
    with pytest.warns(DataWarning, match="label"):
        examples = task.data.load_eval_data(user_data)
    labels = [task.spec.labels[target] for target in examples.targets]
    assert labels == ["dog" if shade % 2 else "cat" for shade in shades_of(examples)]
