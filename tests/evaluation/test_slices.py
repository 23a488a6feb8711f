"""Metrics by slice, of each task that has them."""

import functools

import helpers
import numpy as np
import pandas as pd
import pytest

import keras_fm
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, InvalidInputError, UnknownNameError
from keras_fm.evaluation import fairness
from keras_fm.evaluation.arguments import check_slices
from keras_fm.models import loading
from keras_fm.models.building import build
from keras_fm.models.spec import ModelSpec
from keras_fm.registry.entry import Input, Target
from keras_fm.tasks.base import task_of


@functools.cache
def classifier_of_rows():
    package = loading.registry.find("mlp")[0]
    columns = (
        Input(name="age", dtype="float32", shape=[], description="", missing_value=0.0),
        Input(name="job", dtype="string", shape=[], description="", categories=["cook", "guard"]),
        Input(name="pay", dtype="string", shape=[], description="", unit="$", scale=100.0),
    )
    target = Target(name="hired", description="")
    return build(ModelSpec(package, "tabular-classification", ("no", "yes"), columns, target))


def table(count=80):
    index = np.arange(count)
    return pd.DataFrame({
        "age": (index % 50).astype("float32"),
        "job": np.where(index % 3 == 0, "cook", np.where(index % 3 == 1, "guard", "")),
        "pay": [f"$ {100 + number}" for number in index],
        "gender": np.where(index % 4 == 0, "f", "m"),
        "since": np.datetime64("2020-01-01") + index.astype("timedelta64[D]"),
        "note": [f"note {number}" for number in index],
        "hired": np.where(index % 2, "yes", "no"),
    })  # fmt: skip


SLICES = {
    "label": {"no", "yes"},
    "job": {"cook", "guard", "missing"},
    "age": {"1 to 13", "14 to 25", "26 to 37", "38 to 49", "missing"},
    "pay": {"100 to 119", "120 to 139", "140 to 159", "160 to 179"},
    "gender": {"f", "m"},
    "hired": {"no", "yes"},
    "since": {"2020-01-01 to 2020-01-20", "2020-01-21 to 2020-02-09", "2020-02-10 to 2020-02-29",
              "2020-03-01 to 2020-03-20"},
}  # fmt: skip


@pytest.mark.parametrize("form", ["frame", "csv"])
def test_a_table_is_sliced_by_any_of_its_columns(form, tmp_path):
    data = table()
    if form == "csv":
        data = tmp_path / "rows.csv"
        table().to_csv(data, index=False)
    model = classifier_of_rows()
    metrics = keras_fm.evaluate(model, data=data, slice_by=[*SLICES])
    for name, slices in metrics["slices"].items():
        if name == "age":  # whose quartiles are of those that are not missing
            assert "missing" in slices
            assert len(slices) == 5
        else:
            assert set(slices) == SLICES[name], name
        assert sum(slice_["num_examples"] for slice_ in slices.values()) == 80
        accuracies = [slice_["accuracy"] for slice_ in slices.values()]
        assert accuracies == sorted(accuracies)
        for slice_ in slices.values():
            low, high = slice_["interval"]
            assert low <= slice_["accuracy"] <= high
            assert low < high
    assert list(metrics["fairness"]) == [name for name in SLICES if name not in ("label", "hired")]


@pytest.mark.parametrize("swapped", [False, True])
def test_fairness_by_hand(swapped):
    masks = {"a": np.arange(8) < 4, "b": np.arange(8) >= 4, "none": np.zeros(8, bool)}
    targets = np.array([1, 1, 0, 0, 1, 1, 0, 0])
    predicted = np.array([1, 1, 0, 0, 1, 0, 0, 0])
    if swapped:  # whichever class is the positive one
        targets, predicted = 1 - targets, 1 - predicted
    assert fairness.group_fairness(masks, targets, predicted) == {
        "demographic_parity_difference": 0.25,
        "equalized_odds_difference": 0.5,
    }


def test_images_are_sliced_by_brightness(small_run):
    metrics = keras_fm.evaluate(small_run.model, split="sample", slice_by=("brightness", "label"))
    slices = metrics["slices"]["brightness"]
    assert [slice_["num_examples"] for slice_ in slices.values()] == [64] * 4
    total = sum(slice_["accuracy"] * slice_["num_examples"] for slice_ in slices.values())
    assert total / 256 == pytest.approx(metrics["accuracy"])
    assert "fairness" not in metrics


def test_texts_are_sliced_by_length_in_characters_and_by_other_columns(tmp_path):
    texts = ["ü" * length for length in range(1, 41)] + [""]
    frame = pd.DataFrame({
        "text": texts,
        "stars": np.where(np.arange(41) % 2, "positive", "negative"),
        "source": ["web", "web", None, None] * 10 + ["web"],
    })  # fmt: skip
    model = loading.get("lstm", weights=None)
    with pytest.warns(UserWarning, match="1 of 41 texts is empty"):
        metrics = keras_fm.evaluate(
            model, data=frame, text="text", target="stars", slice_by=["length", "source", "stars"]
        )
    assert set(metrics["slices"]["length"]) == {"1 to 10", "11 to 20", "21 to 30", "31 to 40"}
    counts = {name: x["num_examples"] for name, x in metrics["slices"]["source"].items()}
    assert counts == {"web": 20, "missing": 20}
    assert {x["num_examples"] for x in metrics["slices"]["stars"].values()} == {20}
    assert list(metrics["fairness"]) == ["source"]  # the classes are no groups to be fair to


def test_examples_carry_columns():
    examples = helpers.noise(40)
    columns = {"site": ["a", "b"] * 20}
    examples = Examples(examples.inputs, examples.targets, "noise", columns=columns)
    model = loading.get("cifar_cnn_basic", weights=None)
    metrics = keras_fm.evaluate(model, data=examples, slice_by="site")
    assert {x["num_examples"] for x in metrics["slices"]["site"].values()} == {20}
    half = examples.subset(np.arange(40) % 2 == 0, "half")
    assert keras_fm.evaluate(model, data=half, slice_by="site")["slices"]["site"].keys() == {"a"}
    short = Examples(examples.inputs, examples.targets, "noise", columns={"site": ["a"]})
    with pytest.raises(DataError, match=r"a column 'site' \[40\]; received <U1 \[1\]"):
        keras_fm.evaluate(model, data=short, slice_by="site")


@pytest.mark.parametrize(
    ("slice_by", "error", "message"),
    [
        ("gendre", UnknownNameError, "Did you mean 'gender'"),
        (["gender", "brightness"], UnknownNameError, "no column|no slices by 'brightness'"),
        ("note", DataError, "slice_by='note': expected numbers, dates, or at most 100"),
        (5, InvalidInputError, "slice_by is a name or a list of names; received 5"),
        ([["gender"]], InvalidInputError, "slice_by is a name or a list of names"),
    ],
)
def test_what_can_not_be_sliced_by_is_said(slice_by, error, message):
    rows = pd.concat([table()] * 2, ignore_index=True)
    rows["note"] = [f"note {number}" for number in range(len(rows))]
    if error is UnknownNameError:
        error = (UnknownNameError, DataError)
    with pytest.raises(error, match=message):
        keras_fm.evaluate(classifier_of_rows(), data=rows, slice_by=slice_by)


def test_a_column_of_model_and_file_is_suggested_once():
    with pytest.raises(UnknownNameError, match=r"Did you mean 'age'\?$"):
        check_slices("mlp", ["label", "age", "job", "age"], ["agee"])


@pytest.mark.parametrize("name", keras_fm.list_models())
def test_each_slice_of_a_model_has_values(name):
    package = loading.registry.find(name)[0]
    task = ModelSpec.of(package).task
    if task.objective.evaluator_name is not None or not task.objective.slices:
        return
    examples = task.data.load("sample")
    for slice_by in task.objective.slices:
        values = task.objective.slice_values(None, examples, slice_by)
        assert values.shape == (len(examples),), slice_by


def test_no_slices_are_no_option(small_run):
    for slice_by in (None, [], ()):
        metrics = keras_fm.evaluate(small_run.model, data=helpers.noise(3), slice_by=slice_by)
        assert "slices" not in metrics
    assert task_of(small_run.model).objective.slices == ("label", "brightness")
