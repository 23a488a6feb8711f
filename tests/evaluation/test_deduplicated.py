"""tools/deduplicated.py: metrics on test examples without a copy among the training examples."""

import numpy as np
import pytest

from keras_fm.data.examples import Examples


def examples(sizes, kinds, targets):
    inputs = {"size": np.array(sizes, "float32"), "kind": np.array(kinds)}
    return Examples(inputs, np.array(targets, "float64"), "a few")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["size", "kind"], [True, False, True, False]),
        (["size", "kind", "price"], [False, False, True, False]),
        (["kind", "price"], [False, False, True, True]),
    ],
)
def test_a_copy_has_the_same_values_in_all_of_the_columns(tools, columns, expected):
    nan = float("nan")
    train = examples([1.0, nan, 3.0], ["a", "b", "c"], [10, 20, 30])
    test = examples([1.0, 1.0, nan, 9.0], ["a", "b", "b", "c"], [11, 10, 20, 30])
    copies = tools("deduplicated").have_copies(test, train, columns, "price")
    assert copies.tolist() == expected


@pytest.mark.full_data
def test_the_figures_of_all_examples_are_the_claims_of_the_entry(tools, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["deduplicated", "linear_regression"])
    tools("deduplicated").main()
    everything, without_copies = capsys.readouterr().out.splitlines()
    assert everything.startswith("all: 5,394 test examples, RMSE of the log 0.1366, ")
    assert without_copies.startswith("without copies: 5,327 test examples, ")
