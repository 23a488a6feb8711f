import helpers
import numpy as np
import pandas as pd
import pytest

import keras_fm
from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, DataWarning, InvalidInputError, UnknownNameError
from keras_fm.evaluation import evaluation


@pytest.fixture(scope="module")
def sample():
    return datasets.sample("cifar10")


@pytest.fixture(scope="module")
def metrics(small_run):
    return evaluation.evaluate(small_run.model, split="sample", slice_by="label")


def test_accuracy_is_the_fraction_of_correct_predictions(metrics, small_run, sample):
    logits = np.asarray(small_run.model(sample.inputs))
    flipped = np.asarray(small_run.model(sample.inputs[:, :, ::-1]))
    assert metrics["accuracy"] == (logits.argmax(-1) == sample.targets).mean()
    averaged = (logits + flipped).argmax(-1)
    assert metrics["accuracy_tta"] == (averaged == sample.targets).mean()


def test_cross_entropy_is_in_nats(metrics, small_run, sample):
    logits = np.asarray(small_run.model(sample.inputs), np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = -np.log(probabilities[np.arange(256), sample.targets]).mean()
    assert metrics["cross_entropy"] == pytest.approx(expected, rel=1e-5)


def test_metrics_name_the_data_and_count_the_examples(metrics):
    assert metrics["num_examples"] == 256
    assert metrics["data"] == "bundled sample of 256 cifar10 test examples"


def test_slices_are_the_recall_of_each_label(metrics, sample):
    labels = registry.info("cifar_cnn_basic").labels
    slices = metrics["slices"]["label"]
    assert sorted(slices) == sorted(labels)
    counts = np.bincount(sample.targets)
    assert [slices[label]["num_examples"] for label in labels] == counts.tolist()
    recalls = [slices[label]["accuracy"] for label in labels]
    assert np.dot(recalls, counts) / 256 == pytest.approx(metrics["accuracy"])
    assert [slice_["accuracy"] for slice_ in slices.values()] == sorted(recalls)


def test_a_label_without_examples_has_no_slice(small_run, sample):
    ships = sample.subset(sample.targets == 8, "ships")
    with pytest.warns(DataWarning, match="19 of 25 examples were in the training data"):
        metrics = evaluation.evaluate(small_run.path, data=ships, slice_by="label")
    [slice_] = metrics["slices"]["label"].values()
    assert (slice_["accuracy"], slice_["num_examples"]) == (metrics["accuracy"], 25)
    assert metrics["data"] == "ships"


def test_without_slices_there_are_none(small_run):
    assert "slices" not in evaluation.evaluate(small_run.model, data=helpers.noise(3))


def test_unknown_slices_are_an_error(small_run):
    with pytest.raises(UnknownNameError, match=r"no slices by 'labels'\. Did you mean 'label'"):
        evaluation.evaluate(small_run.model, slice_by="labels")


def test_no_examples_are_an_error(small_run):
    with pytest.raises(DataError, match=r"received uint8 \[0, 32, 32, 3\]"):
        evaluation.evaluate(small_run.model, data=helpers.noise(3).subset(slice(0), "none"))


def test_labels_of_another_model_are_an_error(small_run):
    with pytest.raises(DataError, match=r"30 images of noise.*from 0 to 9; received 0 to 10"):
        evaluation.evaluate(small_run.model, data=helpers.noise(30, classes=11))


def test_images_of_another_size_are_an_error(small_run):
    small = Examples(np.zeros((3, 28, 28, 3), np.uint8), np.zeros(3, int), "small images")
    with pytest.raises(DataError, match=r"small images.*\[3, 28, 28, 3\]"):
        evaluation.evaluate(small_run.model, data=small)


NOTHING = {
    "cifar_cnn_basic": (np.zeros((0, 32, 32, 3), "uint8"), np.zeros(0, int)),
    "lstm": (np.array([], object), np.zeros(0, int)),
    "linear_regression": (pd.DataFrame(datasets.sample("diamonds").inputs)[:0], np.zeros(0)),
}


@pytest.mark.parametrize("name", NOTHING)
def test_an_evaluation_of_nothing_is_an_error(name):
    with pytest.raises(DataError, match=r"received (none|0 |nothing)|0 examples|no row"):
        keras_fm.evaluate(name, data=NOTHING[name])


@pytest.mark.parametrize(
    "name", ["cifar_cnn_basic", pytest.param("lstm", marks=pytest.mark.thorough)]
)
def test_examples_of_lists_are_those_of_arrays(name):
    sample = datasets.sample({"cifar_cnn_basic": "cifar10", "lstm": "imdb_reviews"}[name])
    few = sample.subset(slice(6), "6 examples")
    lists = Examples(list(few.inputs), list(few.targets), "6 examples")
    assert keras_fm.evaluate(name, data=lists) == keras_fm.evaluate(name, data=few)


@pytest.mark.parametrize("option", ["text", "target"])
def test_columns_without_data_are_refused(option):
    with pytest.raises(InvalidInputError, match="text and target are columns of your own data"):
        keras_fm.evaluate("linear_regression", **{option: "price"})


def test_arguments_are_checked_before_the_model_is_opened(monkeypatch, tmp_path):
    monkeypatch.setattr(evaluation, "resolve_model", lambda name: pytest.fail("it is opened"))
    with pytest.raises(DataError, match=r"there is no file .*gone\.csv"):
        keras_fm.evaluate("mlp", data=tmp_path / "gone.csv")
