import json

import numpy as np
import pandas as pd
import pytest

import keras_fm
from keras_fm import cli
from keras_fm.data import datasets
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.explanation import explanation


@pytest.fixture(scope="module")
def own_run(tmp_path_factory):
    """A regression on a user's own table, in which "strong" says more than "weak"."""
    folder = tmp_path_factory.mktemp("importance")
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(200, 3)), columns=["strong", "weak", "none"])
    frame["value"] = 3 * frame.strong + frame.weak
    frame.to_csv(folder / "rows.csv", index=False)
    return keras_fm.train(
        "linear_regression", data=folder / "rows.csv", target="value", epochs=15,
        learning_rate=0.05, run_dir=folder / "run", verbose=0,
    )  # fmt: skip


def test_a_runs_columns_are_measured_on_what_validated_it(own_run):
    result = explanation.explain(own_run.path, method="permutation_importance")
    assert result.importance.columns == pytest.approx(own_run.importance)
    assert result.importance.metric == next(iter(own_run.metrics))
    assert "where a column is shuffled: strong +" in str(result)
    assert list(result.attributions) == []


def test_a_pretrained_model_is_measured_on_other_rows():
    sample = datasets.sample("diamonds")
    result = explanation.explain("linear_regression", method="permutation_importance", data=sample)
    assert result.importance.columns.keys() == sample.inputs.keys()
    assert result.importance.num_examples == len(sample)
    assert result.importance.metric == "rmse_log"


def test_the_command_measures_and_writes(own_run, tmp_path, capsys):
    rows = own_run.path.parent / "rows.csv"
    arguments = ["explain", str(own_run.path), "--method", "permutation_importance"]
    for name in ("why.html", "why.json"):
        out = tmp_path / name
        assert cli.main([*arguments, "--data", str(rows), "--out", str(out)]) == 0
        shown = capsys.readouterr()
        assert "permutation_importance on 200 rows of" in shown.out
        assert "160 of 200 examples were in the training data" in shown.err
    assert "<td" in (tmp_path / "why.html").read_text("utf-8")
    written = json.loads((tmp_path / "why.json").read_text("utf-8"))
    assert [*written["columns"]][:2] == ["strong", "weak"]
    assert written["method"] == "permutation_importance"


@pytest.mark.parametrize(
    ("name", "inputs", "data", "error", "message"),
    [
        ("lstm", None, None, InvalidInputError, "lstm has no method 'permutation_importance'"),
        ("cifar_cnn", None, None, InvalidInputError, "cifar_cnn has no method 'permutation_imp"),
        ("gan", None, None, InvalidInputError, "gan has no predictions"),
        ("mlp", [{"carat": 1}], None, InvalidInputError, "received inputs to explain"),
        ("mlp", None, "gone.csv", DataError, "there is no file gone.csv"),
        ("mlp", None, pd.DataFrame({"carat": [1.0]}), DataError, "price"),
    ],
)
def test_what_can_not_be_measured_is_an_error(name, inputs, data, error, message):
    with pytest.raises(error, match=message):
        explanation.explain(name, inputs, method="permutation_importance", data=data)


@pytest.mark.parametrize("method", ["auto", "occlusion", "integrated_gradients"])
def test_other_methods_need_inputs_and_no_data(method):
    with pytest.raises(InvalidInputError, match="expected inputs to explain; received none"):
        explanation.explain("mlp", method=method)
    with pytest.raises(InvalidInputError, match=f"received data with method='{method}'"):
        explanation.explain("mlp", [{"carat": 1}], method=method, data=[{"carat": 1}])
