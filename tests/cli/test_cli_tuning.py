"""`tune` on the command line: what it prints, and what it refuses before Keras is imported."""

import json

import pytest

from keras_fm import cli
from keras_fm.cli import tune as command


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_help_has_examples_and_the_form_of_a_space(capsys):
    with pytest.raises(SystemExit):
        cli.main(["tune", "--help"])
    out = capsys.readouterr().out
    assert "\nexamples:\n  keras-fm tune linear_regression" in out
    assert "learning_rate = {low = 1e-4, high = 1e-2, log = true}" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "seed=3"], "'seed' is an option of the command: --seed"),
        (["--set", "space=3"], "'space' is an option of the command: --space"),
        (["--trials", "0"], "trials is a whole number from 1"),
        (["--space", "missing.toml"], "missing.toml: can't be read"),
        (["--strategy", "head"], "fine-tunes on a user's own data"),
        (["--verbose", "3"], "verbose is 'auto', 0, 1 or 2"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(capsys, options, message):
    code, out, err = run(capsys, "tune", "linear_regression", "--data", "sample", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_search_prints_a_table_and_commands_that_are_parsed(capsys, tmp_path):
    pytest.importorskip("optuna")
    search = [
        "tune", "linear_regression", "--data", "sample", "--set", "epochs=1",
        "--directory", tmp_path / "study",
    ]  # fmt: skip
    code, out, _ = run(capsys, *search, "--trials", "1")
    assert code == 0
    assert out.startswith("trial 0000 (1 of 1): learning_rate=0.02, ")
    assert "\nrank  trial  rmse_log  learning_rate" in out
    assert f"recipe of the best trial: {tmp_path / 'study' / 'recipe.toml'}\nkeras-fm train " in out
    assert "Epoch 1/1" not in out
    code, out, _ = run(capsys, *search, "--trials", "1", "--json")
    report = json.loads(out)
    assert (code, report["best"], report["trials"][0]["state"]) == (0, 0, "complete")
    fields = command.DETAILS.partition("fields of --json:")[2]
    assert all(name in fields for name in [*report, *report["trials"][0]])
