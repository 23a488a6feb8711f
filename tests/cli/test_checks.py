"""What can be known before Keras is imported is said before it is."""

import json
import os
import subprocess
import sys
import zipfile

import helpers
import pytest

from keras_fm import cli
from keras_fm.cli import app

# Command lines in a folder of the files of `folder`, and a part of what they print.
REFUSED = [
    # Unknown models, weights and runs, by every command that opens one.
    (["predict", "cifar_cnx", "a.png"], "unknown model 'cifar_cnx'. Did you mean 'cifar_cnn'"),
    (["explain", "cifar_cnx", "a.png"], "unknown model 'cifar_cnx'"),
    (["train", "cifar_cnx"], "unknown model 'cifar_cnx'"),
    (["fine-tune", "cifar_cnx", "photos"], "unknown model 'cifar_cnx'"),
    (["evaluate", "cifar_cnx"], "unknown model 'cifar_cnx'"),
    (["verify", "cifar_cnn", "cifar_cnx"], "unknown model 'cifar_cnx'"),
    (["export", "cifar_cnx", "exports"], "unknown model 'cifar_cnx'"),
    (["info", "cifar_cnx"], "unknown model 'cifar_cnx'"),
    (["predict", "cifar_cnn.best", "a.png"], "'cifar_cnn' has no weights 'best'"),
    (["evaluate", "photos"], "photos is no run directory"),
    (["evaluate", "gone.keras"], "gone.keras can't be opened as a Keras model"),
    (["verify", "stopped"], "the training in stopped did not end; resume it"),
    (["export", "stopped", "exports"], "the training in stopped did not end; resume it"),
    # Files and folders.
    (["predict", "cifar_cnn", "a.png", "gone.png"], "gone.png can't be read: No such file"),
    (["predict", "mlp", "gone.csv"], "gone.csv can't be read as a CSV file"),
    (["predict", "lstm", "gone.txt"], "'gone.txt' looks like the path of a file, and there is"),
    (["predict", "lstm", "photos/cat.jpg"], "'photos/cat.jpg' looks like the path of a file"),
    (["predict", "lstm", "photos/"], "'photos/' is a folder"),
    (["predict", "lstm", "gone.csv", "--text", "body"], "gone.csv can't be read"),
    (["explain", "lstm", "gone.txt"], "'gone.txt' looks like the path of a file"),
    (["explain", "cifar_cnn", "gone.png"], "gone.png can't be read: No such file"),
    (["train", "mlp", "--data", "gone.csv", "--target", "y"], "gone.csv can't be read"),
    (["fine-tune", "cifar_cnn", "my/photos"], "my/photos is not there; expected a folder with"),
    (["fine-tune", "cifar_cnn", "none_such"], "TensorFlow Datasets has no data set 'none_such'"),
    (["fine-tune", "lstm", "r.csv", "--validation-data", "v.csv"], "v.csv can't be read"),
    (["evaluate", "lstm", "--data", "gone.csv"], "gone.csv can't be read"),
    (["train", "mini_bert", "--init-from", "lstmm"], "unknown model 'lstmm'"),
    (["serve-check", "photos"], "photos holds no SavedModel"),
    # Recipe fields.
    (["train", "cifar_cnn", "--set", "epoch=2"], "no field 'epoch'. Did you mean 'epochs'"),
    (["train", "cifar_cnn", "--set", "epochs=two"], "received 'two'"),
    (["train", "cifar_cnn", "--set", "seed=3"], "'seed' is no field of the recipe"),
    (["train", "cifar_cnn", "--set", "name=lstm"], "'name' is no field of the recipe"),
    (["train", "linear_regression", "--set", "flip=random"], "no field 'flip'"),
    (["train", "mini_bert", "--set", "pretraining.epochs=x"], "received 'x'"),
    (["fine-tune", "lstm", "r.csv", "--set", "head.epochs=0"], "received 0"),
    (["fine-tune", "lstm", "r.csv", "--set", "flip=random"], "no field 'flip'"),
    (["fine-tune", "lstm", "r.csv", "--strategy", "heads"], "no strategy 'heads'"),
    # Outputs that exist, and runs to resume.
    (["train", "cifar_cnn", "--run-dir", "stopped"], "stopped exists; name another"),
    (["fine-tune", "lstm", "r.csv", "--run-dir", "a.png/run"], "a.png is a file"),
    (["train", "cifar_cnn", "--resume"], "--resume needs --run-dir"),
    (["train", "cifar_cnn", "--resume", "--run-dir", "photos"], "photos is no run directory"),
    (["train", "lstm", "--resume", "--run-dir", "stopped"], "trains 'cifar_cnn_basic', not 'lstm'"),
    (["fine-tune", "cifar_cnn_basic", "photos", "--resume", "--run-dir", "stopped"],
     "is no fine-tuning"),
    (["export", "cifar_cnn", "exports", "--version", "3"], "exports/3 exists"),
    (["export", "cifar_cnn", "a.png"], "a.png is a file"),
    (["export", "--all", "exports", "--precision", "int4"], "received 'int4'"),
    (["explain", "cifar_cnn", "a.png", "--out", "why.png"], "why.png exists"),
    (["explain", "cifar_cnn", "a.png", "--out", "why.html"], "is drawn to a .png file"),
    (["predict", "gan", "Bag", "--out", "images"], "images/bag-0.png exists"),
    # Options that the model does not take.
    (["predict", "cifar_cnn", "a.png", "--length", "3"], "cifar_cnn has no option 'length'"),
    (["predict", "char_lstm", "a", "--temperature", "-1"], "received -1.0"),
    (["predict", "char_lstm", "a", "--length", "9999"], "received 9999"),
    (["predict", "gan", "Sneakr"], "gan has no label 'Sneakr'. Did you mean 'Sneaker'"),
    (["predict", "mini_bert.mlm", "a film"], "expected [MASK] where a word is missing"),
    (["predict", "cifar_cnn", "a.png", "--top", "0"], "--top is a whole number from 1"),
    (["predict", "cifar_cnn", "a.png", "--timeout", "3"], "name it with --url"),
    (["explain", "cifar_cnn", "a.png", "--method", "lime"], "no method 'lime'"),
    (["fine-tune", "cifar_cnn", "photos/", "--target", "y"], "images have none"),
    (["fine-tune", "lstm", "photos/", "--target", "y"], "photos is a folder"),
    (["fine-tune", "mlp", "r.csv", "--text", "y"], "for a model of texts"),
    (["fine-tune", "gan", "photos/"], "it can't be fine-tuned"),
    (["train", "cifar_cnn", "--target", "y"], "name it as data"),
    (["train", "cifar_cnn", "--seed", "-1"], "received -1"),
    (["evaluate", "cifar_cnn", "--target", "y"], "name it as well (data=, or --data)"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder: an image, tables, an export, a stopped run, and a folder of no images."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(helpers.encode(helpers.image(8, 8)))
    (tmp_path / "why.png").touch()
    (tmp_path / "r.csv").write_text("body,stars\ngood,1\nbad,0\n")
    for path in ("photos", "exports/3", "images", "stopped"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "images" / "bag-0.png").touch()
    run_info = {"model": "cifar_cnn_basic", "init_from": "random", "data": "x", "seed": 0}
    (tmp_path / "stopped" / "run.json").write_text(json.dumps(run_info))
    return tmp_path


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_it_is_refused_in_one_line_before_keras_is_imported(
    arguments, message, folder, monkeypatch, capsys
):
    def import_keras():
        pytest.fail("Keras is imported")

    monkeypatch.setattr(app, "_import_keras", import_keras)
    content = helpers.snapshot(folder)
    assert cli.main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.startswith("keras-fm: ")
    assert err.count("\n") == 1
    assert helpers.snapshot(folder) == content


def test_the_checks_import_nothing_slow(folder):
    code = (
        "import json, sys\n"
        "from keras_fm import cli\n"
        "codes = [cli.main(arguments) for arguments in json.load(sys.stdin)]\n"
        "slow = {'keras', 'tensorflow', 'tensorflow_datasets', 'jax'} & sys.modules.keys()\n"
        "assert set(codes) == {2} and not slow, (codes, slow)\n"
    )
    command_lines = [arguments for arguments, _ in REFUSED]
    process = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(command_lines), text=True, cwd=folder,
        capture_output=True, check=False,
        env=os.environ | {"PYTHONPATH": str(helpers.ROOT), "TFDS_DATA_DIR": "none"},
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert len(process.stderr.splitlines()) == len(REFUSED)


def test_what_can_be_done_is_not_refused(folder, monkeypatch, capsys):
    class ReachedError(Exception):
        pass

    def import_keras():
        raise ReachedError

    monkeypatch.setattr(app, "_import_keras", import_keras)
    (folder / "bag.txt").write_text("a fine film")
    for arguments in (
        ["predict", "cifar_cnn", "a.png"],
        ["predict", "lstm", "and/or", "10/10", "Node.js", "good", "see https://a.b/c.txt"],
        ["predict", "lstm", "bag.txt"],
        ["predict", "lstm", "r.csv", "--text", "body"],
        ["predict", "gan", "Bag", "--seed", "1", "--out", "images"],
        ["predict", "char_lstm", "a", "--length", "3"],
        ["predict", "mini_bert.mlm", "a [MASK] film"],
        ["explain", "lstm", "r.csv", "--text", "body", "--out", "new/why.html"],
        ["train", "cifar_cnn", "--data", "sample", "--set", "epochs=2", "--run-dir", "images/new"],
        ["train", "mini_bert", "--set", "pretraining.epochs=1"],
        ["train", "cifar_cnn", "--data", "photos", "--run-dir", "photos"],
        ["train", "cifar_cnn_basic", "--resume", "--run-dir", "stopped"],
        ["fine-tune", "lstm", "r.csv", "--text", "body", "--set", "head.epochs=1"],
        ["fine-tune", "mini_bert.mlm", "r.csv"],
        ["fine-tune", "cifar_cnn", "mnist"],
        ["evaluate", "lstm", "--data", "r.csv", "--target", "stars"],
        ["export", "cifar_cnn", "exports", "--version", "4"],
        ["export", "--all", "exports"],
        ["verify"],
    ):
        with pytest.raises(ReachedError):
            cli.main(arguments)


def test_a_keras_file_is_known_by_its_specification(folder, monkeypatch, capsys):
    spec = {"model": "cifar_cnn", "task": "image-classification", "labels": ["a", "b"]}
    with zipfile.ZipFile(folder / "mine.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"keras_fm": spec}}))
    monkeypatch.setattr(app, "_import_keras", lambda: pytest.fail("Keras is imported"))
    assert cli.main(["predict", "mine.keras", "a.png", "--length", "3"]) == 2
    assert "has no option 'length'" in capsys.readouterr().err
