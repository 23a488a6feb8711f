import keras
import numpy as np
import pandas as pd
import pytest

import keras_fm
from keras_fm.data.examples import Examples
from keras_fm.evaluation.permutation_importance import permutation_importance
from keras_fm.models.spec import spec_of
from keras_fm.training import jobs


def frame_of(is_classification):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(200, 3)), columns=["strong", "weak", "none"])
    frame["kind"] = random.choice(["a", "b"], 200)
    value = 3 * frame.strong + frame.weak
    frame["target"] = np.where(value > 0, "yes", "no") if is_classification else value
    return frame


@pytest.mark.parametrize(
    "is_classification", [False, pytest.param(True, marks=pytest.mark.thorough)]
)
def test_the_columns_are_ordered_by_what_they_say(tmp_path, is_classification):
    run = keras_fm.train(
        "linear_regression", data=frame_of(is_classification), target="target", epochs=8,
        learning_rate=0.1, run_dir=tmp_path / "run", verbose=0,
    )  # fmt: skip
    assert list(run.importance)[:2] == ["strong", "weak"]
    assert run.importance["strong"] > 2 * run.importance["weak"] > 0
    assert abs(run.importance["none"]) < 0.2 * run.importance["strong"]
    metric = next(iter(run.metrics))
    assert f"how much worse {metric} gets where a column is shuffled: strong " in run.report()
    assert keras_fm.training.runs.load_run(run.path).importance == run.importance


@pytest.mark.thorough
def test_rows_with_folds_are_predicted_by_the_members_that_left_them_out():
    job = jobs.training_job(
        keras_fm.registry.find("mlp")[0], data=frame_of(False), target="target",
        problem_type=None, seed=0, overrides={"folds": 2},
    )  # fmt: skip
    model = jobs.initial_model(job)
    importance = permutation_importance(model, job.validation)
    assert list(importance)[:2] == ["strong", "weak"]
    layer = model.get_layer("linear")
    kernel, bias = layer.get_weights()
    # Of the second member, which left fold 1 out, nothing is left: rows of fold 0 have the same.
    layer.set_weights([kernel * np.array([1, 0])[:, None, None], bias])
    rows = job.examples.folds == 0
    same = permutation_importance(model, job.examples.subset(rows, "fold 0"))
    assert same["strong"] > 1
    other = permutation_importance(model, job.examples.subset(~rows, "fold 1"))
    assert set(other.values()) == {0.0}


def test_examples_are_drawn_where_there_are_many(monkeypatch):
    predicted = []
    model = keras_fm.get("linear_regression")
    sample = keras_fm.data.datasets.sample("diamonds")
    objective = spec_of(model).task.objective
    outputs = objective.outputs
    monkeypatch.setattr(
        "keras_fm.evaluation.permutation_importance.MAX_CELLS", 3 * len(sample.inputs) * 10
    )
    monkeypatch.setattr(objective, "outputs", lambda *a: predicted.append(len(a[1])) or outputs(*a))
    importance = permutation_importance(model, Examples(sample.inputs, sample.targets, "rows"))
    assert importance.keys() == sample.inputs.keys()
    assert predicted == [10 * (1 + 3 * len(sample.inputs))]
    assert isinstance(model, keras.Model)
