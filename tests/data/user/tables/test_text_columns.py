"""Columns of free text: their words are features where the recipe says so, also in the export."""

import helpers
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import keras_fm
from keras_fm.data.user.source import UserData
from keras_fm.data.user.tables.loading import load_table
from keras_fm.errors import DataWarning, InvalidInputError
from keras_fm.models import run_files
from keras_fm.models.spec import spec_of
from keras_fm.tasks.tabular_slices import column_values

COUNT, BUCKETS = 120, 64
WORDS = ["the", "chair", "came", "on", "monday", "with", "a", "box", "of", "screws"]


@pytest.fixture(scope="module")
def frame():
    """Reviews one word of which says whether the class is "good", after a number of no use."""
    rng = np.random.default_rng(0)
    is_good = rng.random(COUNT) < 0.5
    texts = [
        " ".join(rng.permutation([*rng.choice(WORDS, 6), "Lovely," if good else "broken!"]))
        for good in is_good
    ]
    texts[5] = None
    labels = np.where(is_good, "good", "bad")
    return pd.DataFrame({"size": rng.normal(size=COUNT), "my review": texts, "label": labels})


@pytest.fixture(scope="module")
def run(frame, tmp_path_factory):
    """A linear model of the words."""
    path = tmp_path_factory.mktemp("texts") / "run"
    return keras_fm.train(
        "linear_regression",
        data=frame,
        target="label",
        run_dir=path,
        verbose=0,
        text_buckets=BUCKETS,
        epochs=12,
        learning_rate=0.1,
    )


def test_a_column_of_texts_is_told(frame):
    table = load_table(UserData(frame, target="label", text_buckets=BUCKETS))
    assert table.notes[0] == "columns: 1 number, 1 text (my review: words hashed to 64 buckets)"
    assert table.columns[1].hash_buckets == BUCKETS
    assert "" in table.examples.inputs["my review"]  # where it is missing


def test_buckets_without_a_text_are_told(frame):
    others = frame.drop(columns="my review").assign(other=np.arange(COUNT) % 7)
    with pytest.warns(DataWarning, match="text_buckets = 64 has no effect: no column is"):
        load_table(UserData(others, target="label", text_buckets=BUCKETS))
    with pytest.raises(InvalidInputError, match="text_buckets is for the texts of your own table"):
        keras_fm.train("mlp", data="sample", text_buckets=BUCKETS)


def test_a_model_learns_from_the_words(run):
    assert run.metrics["accuracy"] > 0.9 > run.baseline["accuracy"]
    assert run_files.read_run(run.path)["inputs"][1]["hash_buckets"] == BUCKETS


def test_a_missing_text_is_predicted(run):
    rows = [{"size": 0.0, "my review": text} for text in (None, "", "a new word", "Broken chair")]
    missing, empty, _, broken = keras_fm.pipeline(run.path)(rows)
    assert missing == empty
    assert broken["label"] == "bad"


def test_the_export_takes_the_raw_text(run, frame, tmp_path):
    version = helpers.export(run.model, tmp_path / "export")
    rows = frame.drop(columns="label")
    served = tf.saved_model.load(str(version)).signatures["serving_default"](
        size=tf.constant(rows["size"], tf.float32),
        my_review=tf.constant(rows["my review"].fillna("")),
    )
    predictions = keras_fm.pipeline(run.model)(rows)
    expected = [list(prediction["probabilities"].values()) for prediction in predictions]
    np.testing.assert_allclose(served["probabilities"], expected, atol=1e-3)
    assert served["label"].numpy().astype(str).tolist() == [row["label"] for row in predictions]


def test_a_text_is_explained_and_sliced(run, frame):
    row = {"size": 0.1, "my review": "the chair came broken on monday"}
    for method in ("occlusion", "integrated_gradients"):
        attribution = keras_fm.explain(run.model, row, method=method).attributions[0]
        assert abs(attribution.scores).argmax() == 1
    data = spec_of(run.model).task.data
    examples = data.load_eval_data(UserData(frame))
    lengths = column_values(data.columns, examples, "my review")
    assert (lengths[5], *np.unique(np.delete(lengths, 5))) == (0, 7)


@pytest.mark.thorough
def test_an_ensemble_learns_from_texts(frame, tmp_path):
    run = keras_fm.train(
        "mlp", data=frame, target="label", run_dir=tmp_path / "run", verbose=0, epochs=3,
        text_buckets=BUCKETS,
    )  # fmt: skip
    assert run.metrics["accuracy"] > 0.8 > run.baseline["accuracy"]


def test_a_table_fine_tunes_a_model_of_its_texts(run, frame, tmp_path):
    tuned = keras_fm.fine_tune(
        run.path, frame, target="label", run_dir=tmp_path / "run", epochs=1, verbose=0
    )
    assert spec_of(tuned.model).inputs == spec_of(run.model).inputs
