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
    (["evaluate", "gone.keras"], "there is no file gone.keras"),
    (["verify", "stopped"], "the training in stopped did not end; resume it"),
    (["export", "stopped", "exports"], "the training in stopped did not end; resume it"),
    # Files and folders.
    (["predict", "cifar_cnn", "a.png", "gone.png"], "there is no file gone.png"),
    (["predict", "mlp", "gone.csv"], "there is no file gone.csv"),
    (["predict", "lstm", "gone.txt"], ": as bytes): there is no file gone.txt"),
    (["predict", "lstm", "photos/cat.jpg"], "there is no file photos/cat.jpg"),
    (["predict", "lstm", "photos/"], "'photos/' is a folder"),
    (["predict", "lstm", "gone.csv", "--text", "body"], "there is no file gone.csv"),
    (["explain", "lstm", "gone.txt"], "there is no file gone.txt"),
    (["explain", "cifar_cnn", "gone.png"], "there is no file gone.png"),
    (["train", "mlp", "--data", "gone.csv", "--target", "y"], "there is no file gone.csv"),
    (["fine-tune", "cifar_cnn", "my/photos"], "of images a class: there is no folder my/photos"),
    (["fine-tune", "cifar_cnn", "none_such"], "TensorFlow Datasets has no data set 'none_such'"),
    (["fine-tune", "lstm", "r.csv", "--validation-data", "v.csv"], "there is no file v.csv"),
    (["evaluate", "lstm", "--data", "gone.csv"], "there is no file gone.csv"),
    (["train", "mini_bert", "--init-from", "lstmm"], "unknown model 'lstmm'"),
    (["serve-check", "photos"], "photos holds no SavedModel"),
    # Recipe fields.
    (["train", "cifar_cnn", "--set", "epoch=2"], "no field 'epoch'. Did you mean 'epochs'"),
    (["train", "cifar_cnn", "--set", "epochs=two"], "received 'two'"),
    (["train", "cifar_cnn", "--set", "lr=0.1"], "no field 'lr'. Did you mean 'learning_rate'"),
    (["fine-tune", "lstm", "r.csv", "--set", "head.lr=1"], "Did you mean 'learning_rate'"),
    (["train", "mini_bert", "--set", "pretraining.lr=1"], "Did you mean 'learning_rate'"),
    (["train", "cifar_cnn", "--set", "pretrained=true"], "init_from="),
    (["train", "cifar_cnn", "--set", "seed=3"], "'seed' is an option of the command: --seed"),
    (["train", "lstm", "--set", "teacher=a"], "'teacher' is an option of the command: --teacher"),
    (["train", "cifar_cnn", "--set", "name=lstm"], "'name' is an argument of the command"),
    (["fine-tune", "lstm", "r.csv", "--set", "data=r.csv"], "'data' is an argument of the command"),
    (["train", "mlp", "--data", "r.csv", "--set", "dataset=x"], "leave out dataset"),
    (["fine-tune", "lstm", "r.csv", "--set", "dataset=x"], "leave out dataset"),
    # Teachers.
    (["train", "lstm", "--teacher", "mini_bret"], "unknown model 'mini_bret'. Did you mean"),
    (["train", "lstm", "--teacher", "stopped"], "the training in stopped did not end"),
    (["fine-tune", "lstm", "r.csv", "--strategy", "full", "--set", "teacher=mini_bret"],
     "unknown model 'mini_bret'"),
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
    (["train", "lstm", "--resume", "--run-dir", "own"], "began on r.csv: name the same data again"),
    (["train", "lstm", "--resume", "--run-dir", "own", "--data", "r.csv", "--validation-split",
      "0.1"], "leave out validation_split"),
    (["train", "lstm", "--resume", "--run-dir", "own", "--data", "r.csv", "--seed", "7"],
     "began with seed=0; received seed=7"),
    (["fine-tune", "lstm", "r.csv", "--resume", "--run-dir", "tuned", "--validation-split", "0.1"],
     "leave out validation_split"),
    (["fine-tune", "lstm", "r.csv", "--resume", "--run-dir", "tuned", "--strategy", "full"],
     "began with strategy='head'; received strategy='full'"),
    (["fine-tune", "lstm", "r.csv", "--resume", "--run-dir", "tuned", "--compare"],
     "began with compare=False; received compare=True"),
    (["fine-tune", "lstm", "r.csv", "--resume", "--run-dir", "tuned", "--augment-with", "gan"],
     "began with augment_with=None; received augment_with='gan'"),
    # Slices, methods and columns.
    (["evaluate", "cifar_cnn", "--slice-by", "lable"], "no slices by 'lable'. Did you mean"),
    (["evaluate", "mini_bert.mlm", "--slice-by", "label"], "Metrics of mini_bert are not sliced"),
    (["evaluate", "mlp", "--slice-by", "colour"], "no slices by 'colour'. Did you mean 'color'"),
    (["evaluate", "mlp", "--slice-by", "carat", "--slice-by", "price"], "no slices by 'price'"),
    (["evaluate", "cifar_cnn", "--slice-by", "length"], "no slices by 'length'"),
    (["evaluate", "lstm", "--slice-by", "brightness"], "no slices by 'brightness'"),
    (["evaluate", "lstm", "--data", "r.csv", "--target", "stars", "--slice-by", "star"],
     "no slices by 'star'. Did you mean 'stars'"),
    # Comparisons.
    (["compare", "lstm", "mlp"], "expected models of the same task to compare"),
    (["compare", "cifar_cnn", "fashion_cnn"], "expected models of the same classes to compare"),
    (["compare", "gan", "gan"], "expected classifiers or regressions to compare; received gan"),
    (["compare", "cifar_cnn", "cifar_cnx"], "unknown model 'cifar_cnx'"),
    (["compare", "lstm", "mini_bert", "--slice-by", "color"], "no slices by 'color'"),
    (["compare", "lstm", "mini_bert", "--data", "gone.csv"], "there is no file gone.csv"),
    (["compare", "lstm", "mini_bert", "--text", "body"], "name it as well (data=, or --data)"),
    (["export", "lstm", "exports", "--against", "stopped"], "the training in stopped did not end"),
    (["export", "lstm", "exports", "--against", "mlp"], "models of the same task to compare"),
    (["export", "lstm", "exports", "--data", "r.csv"], "--data is for --against"),
    (["export", "--all", "exports", "--against", "lstm"], "--against compares a single model"),
    (["explain", "cifar_cnn", "a.png", "--method", "attention"], "has no method 'attention'"),
    (["explain", "mlp", "r.csv", "--method", "grad_cam"], "mlp has no method 'grad_cam'"),
    (["explain", "lstm", "good", "--method", "attention"], "lstm has no attention"),
    (["explain", "mlp"], "expected inputs to explain; received none"),
    (["explain", "mlp", "r.csv", "--data", "r.csv"], "received data with method='auto'"),
    (["explain", "mlp", "r.csv", "--method", "permutation_importance"], "received inputs to"),
    (["explain", "lstm", "--method", "permutation_importance"], "lstm has no method 'permutation"),
    (["explain", "mlp", "--method", "permutation_importance", "--data", "gone.csv"],
     "there is no file gone.csv"),
    (["explain", "cifar_cnn", "a.png", "--method", "shap"], "cifar_cnn has no method 'shap'"),
    (["explain", "gan", "Bag"], "gan has no predictions that its inputs could explain"),
    (["explain", "char_lstm", "a"], "char_lstm has no predictions that its inputs could explain"),
    (["explain", "mini_bert.mlm", "a [MASK]"], "has no predictions that its inputs could explain"),
    (["train", "mlp", "--data", "r.csv", "--target", "star"],
     "r.csv has no column 'star'. Did you mean 'stars'"),
    (["train", "mlp", "--data", "r.csv"], "r.csv to predict: target=, or --target. Known: body, "),
    (["fine-tune", "mlp", "r.csv"], "say which column of r.csv to predict: target="),
    (["fine-tune", "lstm", "r.csv"], "say which column of r.csv names the classes of its texts"),
    (["fine-tune", "lstm", "r.csv", "--text", "bodi"], "r.csv has no column 'bodi'"),
    (["fine-tune", "lstm", "r.csv", "--validation-data", "old.csv", "--target", "stars"],
     "old.csv has no column 'stars'. Did you mean 'star'"),
    (["evaluate", "lstm", "--data", "r.csv", "--target", "star"], "Did you mean 'stars'"),
    (["predict", "lstm", "r.csv", "--text", "bodi", "--out", "new.csv"], "no column 'bodi'"),
    (["predict", "mlp", "r.csv", "--id", "star", "--out", "new.csv"], "no column 'star'"),
    # Exports.
    (["predict", "served", "gone.png"], "there is no file gone.png"),
    (["predict", "served/1", "a.png", "--length", "3"], "cifar_cnn has no option 'length'"),
    (["evaluate", "served"], "served is an export"),
    (["verify", "served"], "served is an export"),
    (["fine-tune", "served", "photos"], "served is an export"),
    (["explain", "served", "a.png"], "served is an export"),
    (["info", "photos"], "photos is no run directory"),
    (["export", "cifar_cnn", "served"], "served holds cifar_cnn with the classes 'a', 'b'"),
    (["export", "lstm", "served"], "served holds cifar_cnn with the task image-classification"),
    (["export", "cifar_cnn", "exports", "--version", "3"], "exports/3 exists"),
    (["export", "cifar_cnn", "a.png"], "a.png is a file"),
    (["export", "--all", "exports", "--precision", "int4"], "received 'int4'"),
    (["explain", "cifar_cnn", "a.png", "--out", "why.png"], "why.png exists"),
    (["explain", "cifar_cnn", "a.png", "--out", "why.gif"], "drawn to a .html or .png file"),
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
    (["fine-tune", "gan", "photos/"], "can't be fine-tuned"),
    (["train", "cifar_cnn", "--target", "y"], "name it as data"),
    (["train", "cifar_cnn", "--seed", "-1"], "received -1"),
    (["train", "cifar_cnn", "--verbose", "loud"], "verbose is 'auto', 0, 1 or 2; received 'loud'"),
    (["fine-tune", "lstm", "r.csv", "--verbose", "3"], "received 3"),
    (["train", "cifar_cnn", "--validation-split", "2"], "from 0.0 to 1.0; received 2.0"),
    (["fine-tune", "lstm", "r.csv", "--validation-split", "-1"], "received -1.0"),
    (["fine-tune", "lstm", "r.csv", "--validation-split", "0.1", "--validation-data", "r.csv"],
     "validation_split and validation_data each say"),
    (["train", "lstm", "--validation-split", "0.1", "--set", "validation_examples=3"],
     "validation_split and validation_examples each say"),
    (["verify"], "expected a model or a run directory; --all verifies all"),
    (["verify", "--json"], "expected a model or a run directory; --all verifies all"),
    (["verify", "--all", "lstm"], "--all verifies every pretrained model: name none"),
    (["evaluate", "cifar_cnn", "--target", "y"], "name it as well (data=, or --data)"),
]  # fmt: skip


SPEC = {
    "model": "cifar_cnn",
    "task": "image-classification",
    "labels": ["a", "b"],
    "inputs": [],
    "target": None,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder: an image, tables, exports, stopped runs, and a folder of no images."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(helpers.encode(helpers.image(8, 8)))
    (tmp_path / "why.png").touch()
    (tmp_path / "r.csv").write_text("body,stars\ngood,1\nbad,0\n")
    (tmp_path / "old.csv").write_text("body,star\ngood,1\n")
    for path in ("photos", "exports/3", "images", "stopped"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "images" / "bag-0.png").touch()
    run_info = {"model": "cifar_cnn_basic", "init_from": "random", "data": "x", "seed": 0}
    (tmp_path / "stopped" / "run.json").write_text(json.dumps(run_info))
    (tmp_path / "own").mkdir()
    run_info |= {"model": "lstm", "data": "r.csv", "split": ""}
    (tmp_path / "own" / "run.json").write_text(json.dumps(run_info))
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "run.json").write_text(json.dumps(run_info | {"strategy": "head"}))
    (tmp_path / "served" / "1").mkdir(parents=True)
    (tmp_path / "served" / "1" / "saved_model.pb").touch()
    (tmp_path / "served" / "1" / "keras_fm.json").write_text(json.dumps(SPEC))
    return tmp_path


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_it_is_refused_in_one_line_before_keras_is_imported(
    arguments, message, folder, monkeypatch, capsys
):
    def import_keras(**_):
        pytest.fail("Keras is imported")

    monkeypatch.setattr(app, "_import_keras", import_keras)
    # As in a fresh process: other tests of this one may have imported it.
    monkeypatch.delitem(sys.modules, "tensorflow_datasets", raising=False)
    content = helpers.snapshot(folder)
    assert cli.main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.startswith("keras-fm: ")
    assert err.count("\n") == 1
    assert helpers.snapshot(folder) == content


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json", ".jsonl", ".parquet", ".txt"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "mlp", "--data", "FILE", "--target", "y"],
        ["fine-tune", "lstm", "FILE"],
        ["fine-tune", "lstm", "r.csv", "--validation-data", "FILE"],
        ["evaluate", "lstm", "--data", "FILE"],
        ["predict", "mlp", "FILE"],
        ["predict", "lstm", "FILE"],
        ["predict", "cifar_cnn", "FILE"],
        ["explain", "mlp", "FILE"],
        ["explain", "lstm", "FILE"],
    ],
    ids=" ".join,
)
def test_a_near_file_is_suggested(arguments, suffix, folder, monkeypatch, capsys):
    (folder / f"reviews{suffix}").touch()
    monkeypatch.setattr(app, "_import_keras", lambda **_: pytest.fail("Keras is imported"))
    name = f"reveiws{suffix}"
    assert cli.main([name if word == "FILE" else word for word in arguments]) == 2
    message = capsys.readouterr().err.strip()
    assert message.endswith(f"there is no file {name}; did you mean reviews{suffix}?")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fine-tune", "cifar_cnn", "./fotos"], "there is no folder fotos; did you mean photos?"),
        (["fine-tune", "cifar_cnn", "fotos"], "no file or folder fotos; did you mean photos?"),
        (["evaluate", "cifar_cnn", "--data", "fotos/a"], "did you mean photos/a?"),
        (["explain", "cifar_cnn", "fotos/a/1.png"], "did you mean photos/a/1.png?"),
        (["evaluate", "./stoped"], "unknown model"),
        (["evaluate", "runs/stoped"], "no file or folder runs/stoped; did you mean runs/stopped?"),
        (["runs", "rnus"], "there is no folder rnus; did you mean runs?"),
    ],
)
def test_a_near_folder_is_suggested(arguments, message, folder, monkeypatch, capsys):
    for path in ("photos/a", "runs/stopped"):
        (folder / path).mkdir(parents=True)
    (folder / "photos/a/1.png").touch()
    monkeypatch.setattr(app, "_import_keras", lambda **_: pytest.fail("Keras is imported"))
    monkeypatch.delitem(sys.modules, "tensorflow_datasets", raising=False)
    assert cli.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_the_checks_import_nothing_slow(folder):
    code = (
        "import json, sys\n"
        "from keras_fm import cli\n"
        "for arguments in json.load(sys.stdin):\n"
        "    code = cli.main(arguments)\n"
        "    slow = {'keras', 'tensorflow', 'tensorflow_datasets', 'jax'} & sys.modules.keys()\n"
        "    assert code == 2 and not slow, (arguments, code, slow)\n"
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

    def import_keras(**_):
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
        ["fine-tune", "mini_bert.mlm", "r.csv", "--target", "stars"],
        ["train", "mlp", "--data", "r.csv", "--target", " stars "],
        ["explain", "lstm", "good", "--method", "occlusion"],
        ["explain", "mini_bert", "good", "--method", "attention", "--out", "why.json"],
        ["explain", "cifar_cnn", "a.png", "--method", "integrated_gradients", "--out", "b.html"],
        ["explain", "mlp", "--method", "permutation_importance", "--data", "r.csv"],
        ["evaluate", "mlp", "--slice-by", "color"],
        ["evaluate", "mlp", "--slice-by", "carat", "--slice-by", "cut"],
        ["evaluate", "lstm", "--data", "r.csv", "--target", "stars", "--slice-by", "body"],
        ["evaluate", "gan", "--slice-by", "label"],
        ["compare", "lstm", "mini_bert", "--data", "r.csv", "--target", "stars"],
        ["export", "lstm", "exports", "--against", "mini_bert"],
        ["predict", "lstm", "r.csv", "--text", "body", "--id", "stars", "--out", "new.csv"],
        ["fine-tune", "cifar_cnn", "mnist"],
        ["evaluate", "lstm", "--data", "r.csv", "--target", "stars"],
        ["export", "cifar_cnn", "exports", "--version", "4"],
        ["export", "--all", "exports"],
        ["predict", "served", "a.png"],
        ["train", "lstm", "--teacher", "mini_bert", "--verbose", "0", "--validation-split", "0.1"],
        ["train", "lstm", "--resume", "--run-dir", "own", "--data", "r.csv", "--target", "stars"],
        ["verify", "--quick"],
        ["verify", "--all", "--json"],
    ):
        with pytest.raises(ReachedError):
            cli.main(arguments)


def test_a_keras_file_is_known_by_its_specification(folder, monkeypatch, capsys):
    with zipfile.ZipFile(folder / "mine.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"keras_fm": SPEC}}))
    monkeypatch.setattr(app, "_import_keras", lambda **_: pytest.fail("Keras is imported"))
    assert cli.main(["predict", "mine.keras", "a.png", "--length", "3"]) == 2
    assert "has no option 'length'" in capsys.readouterr().err
