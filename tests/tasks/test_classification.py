"""What all classifiers share: a user's classes, and the examples that have one."""

from types import SimpleNamespace

import numpy as np
import pytest

from keras_fm import registry
from keras_fm.data.examples import Examples
from keras_fm.data.user.raw_examples import RawExamples
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataError, DataWarning
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks import pictures

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


def test_rows_of_the_confusion_matrix_are_the_examples_own_classes(task, monkeypatch):
    counts = []
    monkeypatch.setattr(pictures, "plot_confusion_matrix", lambda *args: counts.append(args[0]))
    examples = Examples(np.zeros((3, 32, 32, 3), "uint8"), np.array([0, 0, 1]), "images")
    task.summaries.result_images(np.eye(10)[[2, 2, 1]], examples)
    assert np.argwhere(counts[0]).tolist() == [[0, 2], [1, 1]]
    assert counts[0][0, 2] == 2


def test_test_time_augmentation_adds_the_logits_of_the_mirror_image(task):
    image = np.zeros((1, 32, 32, 3), "uint8")
    image[:, :, :16] = 255  # light on the left
    examples = Examples(image, np.array([1]), "an image")

    def predict(images, **options):
        is_light_on_the_right = images[:, :, 16:].mean() > images[:, :, :16].mean()
        return np.eye(10)[[1]] * 3 * is_light_on_the_right

    outputs = np.eye(10)[[0]] * 2.0
    model = SimpleNamespace(name="light", predict=predict)
    metrics = task.objective.metrics(model, examples, outputs)
    assert (metrics["accuracy"], metrics["accuracy_tta"]) == (0, 1)
    metrics = task.objective.metrics(model, examples, 2 * outputs)
    assert metrics["accuracy_tta"] == 0


def test_a_class_of_which_nothing_can_be_read_is_named(task):
    raw = RawExamples([*range(5)], ["cat", "cat", "dog", "dog", "bird"], "files")
    images = np.zeros((4, 32, 32, 3), "uint8")
    with pytest.warns(DataWarning, match="1 class without any example .* 'bird'"):
        spec, examples, _ = task.data.infer_classes(
            raw, lambda raw: (images, np.arange(5) < 4), UserData(None), 0
        )
    assert spec.labels == ("cat", "dog")
    assert len(examples) == 4


@pytest.mark.parametrize("target", [-1, 10])
def test_labels_are_indices_of_the_models_classes(task, target):
    images = np.zeros((2, 32, 32, 3), "uint8")
    task.data.check(Examples(images, np.array([0, 9]), "images"))
    with pytest.raises(DataError, match=rf"expected labels from 0 to 9; received .*{target}"):
        task.data.check(Examples(images, np.array([5, target]), "images"))
