"""`compare`: models, runs and exports on the same examples."""

import dataclasses
import json
from dataclasses import replace

import helpers
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import keras_fm
from keras_fm import cli, registry
from keras_fm.comparison.arguments import check_same_task
from keras_fm.comparison.comparison import compare
from keras_fm.comparison.report import ComparisonReport, Flips
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, InvalidInputError, KerasFmError, UnknownNameError
from keras_fm.models import loading
from keras_fm.models.building import build
from keras_fm.models.lookup import NamedModel
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.registry.entry import Target
from keras_fm.tasks.base import task_of


@pytest.fixture(scope="module")
def images():
    sample = datasets.sample("cifar10")
    names = np.array([f"{index}.png" for index in range(len(sample))], object)
    return Examples(sample.inputs, sample.targets, "some images", names)


def test_classifiers_are_compared(images, small_run):
    report = compare("cifar_cnn_basic", small_run.model, data=images, slice_by="label", max_flips=3)
    right = [
        np.array([p["label"] for p in keras_fm.pipeline(model)(images.inputs)])
        == np.array(registry.info("cifar_cnn_basic").labels)[images.targets]
        for model in ("cifar_cnn_basic", small_run.model)
    ]
    assert report.metrics["accuracy"] == [right[0].mean(), right[1].mean()]
    assert report.difference == right[1].mean() - right[0].mean()
    assert report.interval[0] < report.difference < report.interval[1]
    flips = report.flips
    assert flips.only_a == (right[0] & ~right[1]).sum()
    assert flips.only_b == (right[1] & ~right[0]).sum()
    assert flips.both + flips.neither + flips.only_a + flips.only_b == 256
    expected = stats.binomtest(flips.only_b, flips.only_a + flips.only_b).pvalue
    assert flips.p_value == expected
    first = np.flatnonzero(right[0] != right[1])[:3]
    assert [row["example"] for row in flips.examples] == [f"{index}.png" for index in first]
    assert report.is_worse
    assert not report.is_better
    differences = [slice_["difference"] for slice_ in report.slices["label"].values()]
    assert differences == sorted(differences)
    text = str(report)
    assert "McNemar's test, p" in text
    assert "accuracy by label" in text
    assert text.endswith("B is worse than A")
    assert "<table>" in report._repr_html_()
    json.dumps(report.to_dict())


def test_what_is_better_for_one_side_is_worse_for_the_other(images, small_run):
    report = compare(small_run.model, "cifar_cnn_basic", data=images)
    assert report.is_better
    assert "A alone" in str(report)


def test_an_export_is_compared_as_its_model_is(small_run, small_version):
    report = compare(small_version, small_run.path, slice_by=["label", "brightness"])
    assert report.data == keras_fm.evaluate(small_run.path)["data"]
    assert report.difference == 0
    assert (report.flips.only_a, report.flips.only_b, report.flips.p_value) == (0, 0, 1.0)
    assert "neither better nor worse" in report.verdict


@pytest.mark.parametrize(
    "name", [pytest.param("lstm", marks=pytest.mark.thorough), "linear_regression"]
)
def test_exports_of_each_kind_predict_what_their_models_predict(name, tmp_path):
    model = loading.get(name)
    version = helpers.export(model, tmp_path / "export")
    examples = task_of(model).data.load("sample").subset(slice(20), "20 examples")
    report = compare(tmp_path / "export", name, data=examples)
    assert version.is_dir()
    for a, b in report.metrics.values():
        assert a == pytest.approx(b, rel=1e-3, abs=1e-4)
    assert (report.flips is None) == (name == "linear_regression")


def test_regressions_are_better_where_their_error_is_lower():
    sample = datasets.sample("diamonds")
    report = compare("linear_regression", "mlp", data=sample, slice_by="carat")
    assert report.metric == "rmse_log"
    assert report.difference < 0
    assert report.is_better
    differences = [slice_["difference"] for slice_ in report.slices["carat"].values()]
    assert differences == sorted(differences, reverse=True)


def test_a_regression_without_logarithm_is_compared_by_its_own_metric():
    spec = spec_of(loading.get("linear_regression", weights=None))
    plain = build(replace(spec, target=Target(name="price", description="", scale=1000.0)))
    for pair in (("linear_regression", plain), (plain, "linear_regression")):
        assert compare(*pair, data=datasets.sample("diamonds")).metric == "rmse"


def test_classes_in_another_order_are_the_same(images):
    spec = spec_of(loading.get("cifar_cnn_basic"))
    model = loading.get("cifar_cnn_basic")
    swapped = build(replace(spec, labels=spec.labels[::-1]))
    weights = model.get_weights()
    weights[-2:] = weights[-2][:, ::-1], weights[-1][::-1]
    swapped.set_weights(weights)
    report = compare(model, swapped, data=images)
    assert report.difference == pytest.approx(0, abs=0.005)
    assert report.flips.only_a + report.flips.only_b <= 1


@pytest.mark.thorough
def test_models_of_other_inputs_read_the_same_files(tmp_path):
    for index in range(6):
        folder = tmp_path / "photos" / ["a", "b"][index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{index}.png").write_bytes(helpers.encode(helpers.image(30, 30, index)))
    models = []
    for name in ("cifar_cnn_basic", "fashion_cnn"):
        spec = ModelSpec.of(registry.find(name)[0])
        models.append(build(replace(spec, labels=("a", "b"))))
    report = compare(*models, data=tmp_path / "photos")
    assert report.num_examples == 6
    assert all(row["example"].endswith(".png") for row in report.flips.examples)
    with pytest.raises(DataError, match="fashion_cnn has other inputs than cifar_cnn_basic"):
        compare(*models, data=Examples(helpers.noise(4).inputs, np.arange(4) % 2, "noise"))


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("lstm", "mlp", r"the same task.*lstm \(text-classification\) and mlp"),
        ("cifar_cnn", "fashion_cnn", r"the same classes.*cifar_cnn \('airplane', 'automobile', 'b"),
        ("gan", "gan", "expected classifiers or regressions to compare; received gan"),
        ("char_lstm", "char_lstm_reviews", "expected classifiers or regressions"),
        ("mini_bert.mlm", "mini_bert", "expected classifiers or regressions"),
    ],
)
def test_models_that_predict_something_else_are_refused(a, b, message):
    with pytest.raises(InvalidInputError, match=message):
        compare(a, b)


def test_many_classes_are_told_apart():
    info = dict(NamedModel.of(registry.find("cifar_cnn")[0]).info)
    first = {**info, "labels": [f"c{index:03}" for index in range(200)]}
    second = {**first, "labels": [*first["labels"][:-1], "other"]}
    check_same_task(first, {**first, "labels": first["labels"][::-1]}, "one", "two")
    with pytest.raises(InvalidInputError, match=r"one \('c199'\) and two \('other'\)"):
        check_same_task(first, second, "one", "two")


def test_unknown_slices_and_names_are_refused(images):
    with pytest.raises(UnknownNameError, match="no slices by 'colour'"):
        compare("cifar_cnn", "cifar_cnn_basic", data=images, slice_by="colour")
    with pytest.raises(UnknownNameError, match="unknown model 'cifar_cnx'"):
        compare("cifar_cnn", "cifar_cnx")
    with pytest.raises(InvalidInputError, match="max_flips is a whole number from 0"):
        compare("cifar_cnn", "cifar_cnn", max_flips=-1)


REPORT = ComparisonReport(
    "a", "b", "data", 100, "accuracy", {"accuracy": [0.5, 0.6]}, 0.1, [0.01, 0.2], False
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (True, False)),
        ({"is_error": True}, (False, True)),
        ({"difference": -0.1, "interval": [-0.2, -0.01]}, (False, True)),
        ({"difference": -0.1, "interval": [-0.2, -0.01], "is_error": True}, (True, False)),
        ({"interval": [-0.01, 0.2]}, (False, False)),
        ({"interval": [0.0, 0.2]}, (False, False)),
        ({"interval": None}, (False, False)),
        ({"flips": Flips(0, 3, 0, 0, p_value=0.25)}, (False, False)),
        ({"flips": Flips(0, 30, 0, 0, p_value=0.01)}, (True, False)),
    ],
)
def test_what_is_better_and_worse(changes, expected):
    report = dataclasses.replace(REPORT, **changes)
    assert (report.is_better, report.is_worse) == expected
    words = {(True, False): "better", (False, True): "worse"}
    assert f"B is {words.get(expected, 'neither better nor worse')}" in report.verdict


def run(capsys, *arguments):
    capsys.readouterr()
    code = cli.main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_the_command_line_compares(capsys, tmp_path):
    rows = tmp_path / "rows.csv"
    sample = datasets.sample("diamonds")
    pd.DataFrame({**sample.inputs, "price": sample.targets}).to_csv(rows, index=False)
    code, out, _ = run(
        capsys, "compare", "linear_regression", "mlp", "--data", rows, "--slice-by", "price",
        "--slice-by", "cut", "--json",
    )  # fmt: skip
    report = json.loads(out)
    assert code == 0
    assert report["is_better"]
    assert list(report["slices"]) == ["price", "cut"]
    code, out, _ = run(capsys, "compare", "linear_regression", "mlp", "--data", rows)
    assert code == 0
    assert "B is better than A" in out


def rows_file(folder):
    """Write the sample of diamonds as a CSV file."""
    sample = datasets.sample("diamonds")
    frame = pd.DataFrame({**sample.inputs, "price": sample.targets})
    frame.to_csv(folder / "rows.csv", index=False)
    return folder / "rows.csv"


@pytest.mark.parametrize(
    "precision", ["float32", pytest.param("bfloat16", marks=pytest.mark.thorough)]
)
def test_a_worse_model_is_not_exported(capsys, tmp_path, precision):
    options = ["--precision", precision, "--no-warmup", "--data", rows_file(tmp_path)]
    live = tmp_path / "live"
    keras_fm.export("mlp", live, warmup=False)
    code, out, error = run(capsys, "export", "linear_regression", live, "--against", live, *options)
    assert (code, out) == (2, "")
    assert f"linear_regression is worse than {live}: rmse_log" in error
    assert "Nothing was exported" in error
    assert not (live / "2").exists()


@pytest.mark.thorough
def test_a_model_that_is_not_worse_is_exported(capsys, tmp_path):
    live = tmp_path / "live"
    keras_fm.export("linear_regression", live, warmup=False)
    command = ["export", "linear_regression", live, "--against", live, "--no-warmup"]
    code, out, _ = run(capsys, *command, "--data", rows_file(tmp_path))
    assert code == 0
    assert "neither better nor worse than A" in out
    assert (live / "2").is_dir()


@pytest.mark.thorough
def test_the_gate_takes_the_examples_that_validated_the_run(small_run, small_version, monkeypatch):
    from keras_fm.comparison import gate

    report = gate.check_not_worse(small_run.path, small_version.parent)
    assert report.num_examples == 56
    monkeypatch.setattr(ComparisonReport, "is_worse", True)
    with pytest.raises(KerasFmError, match="is worse than"):
        gate.check_not_worse(small_run.path, small_version.parent)
