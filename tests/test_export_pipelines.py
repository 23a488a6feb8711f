"""An export is asked without a server, and described; what needs a model refuses it."""

import json

import helpers
import numpy as np
import pytest

import keras_fm
from keras_fm import cli, pipelines
from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.models import loading

SMALL = {
    "cifar_cnn_basic": {},
    "linear_regression": {},
    "lstm": {"units": 8, "width": 8},
    "char_lstm": {"units": 16, "width": 8, "depth": 1},
    "gan": {},
}

INPUTS = {
    "cifar_cnn_basic": ([helpers.image(40, 50), helpers.encode(helpers.image(9, 30))], {}),
    "linear_regression": ({"carat": [0.3, None], "cut": ["Ideal", "?"], "color": ["D", "E"],
                           "clarity": ["SI1", "SI1"], "depth": [61.0, 60.0],
                           "table": [55.0, 56.0], "x": [4.0, 5.0], "y": [4.0, 5.0],
                           "z": [2.5, 3.0]}, {}),
    "lstm": (["A wonderful film!", ""], {}),
    "char_lstm": (["ROMEO:"], {"length": 5, "seed": 3}),
    "gan": (["Coat", "Bag"], {"seed": 4}),
}  # fmt: skip


THOROUGH = ("lstm", *helpers.THOROUGH)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.thorough] * (name in THOROUGH)) for name in SMALL
    ],
)
def served(request, tmp_path_factory):
    """The name, the model with random weights, and its export."""
    model = loading.get(request.param, weights=None, **SMALL[request.param])
    base = tmp_path_factory.mktemp("exports") / f"my_{request.param}"
    helpers.export(model, base)
    return request.param, model, base


def test_an_export_predicts_as_its_model(served):
    name, model, base = served
    inputs, options = INPUTS[name]
    expected = pipelines.pipeline(model)(inputs, **options)
    for path in (base, str(base / "1")):
        predictions = keras_fm.pipeline(path)(inputs, **options)
        assert len(predictions) == len(expected)
        for prediction, row in zip(predictions, expected, strict=True):
            assert set(prediction) == set(row)
            for key, value in row.items():
                if key == "probabilities":
                    assert list(prediction[key]) == list(value)
                    np.testing.assert_allclose(
                        [*prediction[key].values()], [*value.values()], atol=1e-5
                    )
                elif key == "image":
                    assert abs(prediction[key].astype(int) - value).max() <= 1
                elif key == "value":
                    assert prediction[key] == pytest.approx(value, rel=1e-5)
                else:
                    assert prediction[key] == value


def test_an_export_is_described(served, capsys):
    name, _, base = served
    assert cli.main(["info", str(base)]) == 0
    out = capsys.readouterr().out
    facts = json.loads((base / "1" / "keras_fm.json").read_text("utf-8"))
    shown = [f"an export of {name}", "versions", "signature serving_default", "precision"]
    for text in [*shown, facts["weights_sha256"], f"keras_fm {keras_fm.__version__}"]:
        assert text in out, text
    for signature in facts["signatures"]:
        assert facts["interface"][signature]["outputs"]
    for label in facts["labels"]:
        assert label in out
    assert cli.main(["info", str(base / "1"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": "1", "has_sketch": False, **facts}


def test_predict_takes_an_export(tmp_path, capsys):
    base = tmp_path / "diamonds"
    helpers.export("linear_regression", base)
    rows = "carat,cut,color,clarity,depth,table,x,y,z\n0.3,Ideal,D,SI1,61,55,4,4,2.5\n"
    (tmp_path / "rows.csv").write_text(rows)
    shown = []
    for name in ("linear_regression", base, base / "1"):
        assert cli.main(["predict", str(name), str(tmp_path / "rows.csv")]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] == shown[2]
    with pytest.raises(InvalidInputError, match="expected rows"):
        keras_fm.pipeline(base)(3)


COMMANDS = {
    "evaluate": lambda path: keras_fm.evaluate(path),
    "explain": lambda path: keras_fm.explain(path, ["x"]),
    "fine_tune": lambda path: keras_fm.fine_tune(path, "photos"),
    "export": lambda path: keras_fm.export(path, "out"),
    "verify": lambda path: keras_fm.verify(path),
    "get": lambda path: keras_fm.get(path),
    "train": lambda path: keras_fm.train("linear_regression", data="sample", init_from=path),
}


@pytest.mark.parametrize("kind", [str, None])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_needs_a_model_refuses_an_export(command, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exports" / "wine" / "1").mkdir(parents=True)
    (tmp_path / "exports" / "wine" / "1" / "saved_model.pb").touch()
    path = tmp_path / "exports" / "wine"
    for export in (path, path / "1"):
        with pytest.raises(UnknownNameError, match=r"is an export.*keras-fm predict take"):
            COMMANDS[command](export if kind is None else str(export))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["exports"]


def test_a_model_of_the_zoo_is_meant_where_both_are_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "linear_regression" / "1").mkdir(parents=True)
    (tmp_path / "linear_regression" / "1" / "saved_model.pb").touch()
    assert isinstance(keras_fm.pipeline("linear_regression"), pipelines.Pipeline)


def test_a_run_is_described(small_run, capsys):
    assert cli.main(["info", str(small_run.path)]) == 0
    out = capsys.readouterr().out
    accuracy = f"accuracy {small_run.metrics['accuracy']:.2%}"
    for text in (f"{small_run.path}: a run of cifar_cnn_basic", "bundled sample", accuracy,
                 "airplane", "baseline", "minutes"):  # fmt: skip
        assert text in out, text
    assert cli.main(["info", str(small_run.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["metrics"] == small_run.metrics


def test_a_run_that_was_stopped_is_described(small_run, tmp_path, capsys):
    path = tmp_path / "stopped"
    path.mkdir()
    (path / "run.json").write_text((small_run.path / "run.json").read_text())
    assert cli.main(["info", str(path)]) == 0
    command = f"keras-fm train cifar_cnn_basic --data sample --run-dir {path} --resume"
    assert f"did not end; resume it: {command}" in capsys.readouterr().out


def test_info_starts_no_keras(small_run, tmp_path):
    (tmp_path / "wine" / "1").mkdir(parents=True)
    (tmp_path / "wine" / "1" / "saved_model.pb").touch()
    for path in (small_run.path, tmp_path / "wine"):
        code = (
            "import sys; from keras_fm import cli; cli.main(['info', sys.argv[1]]); "
            "sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
        )
        process = helpers.python(code, path)
        assert process.returncode == 0, process.stderr + process.stdout
        assert str(path) in process.stdout


def test_info_of_another_folder_says_what_is_missing(tmp_path, capsys):
    assert cli.main(["info", str(tmp_path)]) == 2
    assert "is no run directory (it has no run.json) and no export" in capsys.readouterr().err
    with pytest.raises(UnknownNameError, match="keras-fm info shows runs and exports"):
        keras_fm.info(str(tmp_path))
