"""What `train` and `fine-tune` of the command line refuse, and what `--verbose` prints."""

import pytest

from keras_fm import cli


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "houses.csv"
    rows = "".join(f"{number},{3 * number + number % 4}\n" for number in range(60))
    path.write_text(f"rooms,price\n{rows}")
    return path


@pytest.mark.parametrize("command", ["train", "fine-tune"])
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seed=3", "'seed' is an option of the command: --seed"),
        ("validation_split=0.2", "'validation_split' is an option of the command"),
        ("verbose=0", "'verbose' is an option of the command: --verbose"),
        ("run_dir=x", "'run_dir' is an option of the command: --run-dir"),
        ("lr=0.1", "Did you mean 'learning_rate'?"),
        ("num_epochs=2", "Did you mean 'epochs'?"),
    ],
)
def test_set_is_for_fields_of_the_recipe(capsys, table, command, setting, message):
    data = ["--data", table] if command == "train" else [table]
    code, out, err = run(capsys, command, "linear_regression", *data, "--set", setting)
    assert code == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("verbose", ["3", "yes"])
def test_verbose_is_one_of_four(capsys, table, verbose):
    code, _, err = run(
        capsys, "train", "linear_regression", "--data", table, "--verbose", verbose
    )  # fmt: skip
    assert code == 2
    assert "verbose is 'auto', 0, 1 or 2" in err


def test_without_verbose_the_report_alone_is_printed(capsys, table, tmp_path):
    code, out, _ = run(
        capsys, "train", "linear_regression", "--data", table, "--target", "price",
        "--set", "epochs=1", "--verbose", "0", "--validation-split", "0.5",
        "--run-dir", tmp_path / "run",
    )  # fmt: skip
    assert code == 0
    assert "Epoch 1/1" not in out
    assert out.lstrip().startswith("linear_regression, trained on")
    assert "30 to train on" in out
