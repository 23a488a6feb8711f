"""CONTRIBUTING.md, followed word for word: a new model, and a new task with a model of it."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap

import helpers
import numpy as np
import pytest
from serving_server import ServingServer

import keras_fm
import keras_fm.tasks
import keras_fm.zoo
from keras_fm import cli
from keras_fm.errors import InvalidInputError, UnknownNameError
from keras_fm.registry.tasks import TASKS
from keras_fm.training import runs

PAGE = (helpers.ROOT / "CONTRIBUTING.md").read_text("utf-8")


# Those of the fast suite that go through the models of the zoo, or through the pages on them.
ZOO_TESTS = [
    "tests/registry",
    "tests/evaluation/test_verification.py",
    "tests/models/test_old_weights.py",
    "tests/training/test_backends.py",
    "tests/test_cards.py",
    "tests/test_imports.py",
    "tests/test_public_names.py",
    "tests/test_readme.py",
]


def code_blocks(attribute):
    """Return the code blocks of the page that name a file, by the name."""
    pattern = rf"^ *```\w+ {attribute}=(\S+)\n(.*?)^ *```$"
    blocks = re.findall(pattern, PAGE, re.DOTALL | re.MULTILINE)
    return {name: textwrap.dedent(text) for name, text in blocks}


def write_files(root):
    """Write the files of the page."""
    for name, text in code_blocks("file").items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        (file.parent / "__init__.py").write_text('"""Added by CONTRIBUTING.md."""\n', "utf-8")
        file.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """The files of the page, where Python looks for those of the zoo and of the tasks."""
    root = tmp_path_factory.mktemp("contributed")
    write_files(root)
    lines = ast.literal_eval(f"{{{code_blocks('line')['keras_fm/registry/tasks.py']}}}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras_fm.zoo, "__path__", [*keras_fm.zoo.__path__, str(root / "zoo")])
        tasks_path = [*keras_fm.tasks.__path__, str(root / "keras_fm" / "tasks")]
        patch.setattr(keras_fm.tasks, "__path__", tasks_path)
        for task, package in lines.items():
            patch.setitem(TASKS, task, package)
        keras_fm.registry.clear_cache()
        yield set(code_blocks("file"))
    keras_fm.registry.clear_cache()
    for name in [name for name in sys.modules if re.search("small_(cnn|forecaster)|series", name)]:
        del sys.modules[name]


def test_the_page_has_every_file_of_a_model(added):
    files = {"model.py", "entry.toml", "recipe.toml", "card.md"}
    assert {f"zoo/small_cnn/{file}" for file in files} <= added


@pytest.mark.thorough
def test_a_model_is_listed_trained_evaluated_and_exported(added, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert "small_cnn" in keras_fm.list_models()
    train = "train small_cnn --data sample --set validation_examples=56 --run-dir runs/small"
    assert cli.main(train.split()) == 0
    assert cli.main(["evaluate", "runs/small", "--split", "sample"]) == 0
    assert cli.main(["export", "runs/small", "exports/small"]) == 0
    assert (tmp_path / "exports/small/1/saved_model.pb").is_file()
    assert "accuracy" in capsys.readouterr().out


@pytest.fixture(scope="module")
def forecaster(added, tmp_path_factory):
    return keras_fm.train(
        "small_forecaster", run_dir=tmp_path_factory.mktemp("runs") / "forecaster"
    )


def test_a_model_of_a_new_task_learns(forecaster):
    assert forecaster.metrics["rmse"] < forecaster.baseline["rmse"] / 2
    loaded = runs.load_run(forecaster.path)
    assert loaded.metrics == forecaster.metrics
    assert keras_fm.evaluate(loaded.model)["rmse"] < forecaster.baseline["rmse"] / 2


def test_recipe_fields_of_a_new_task_are_those_of_no_other(forecaster, tmp_path):
    assert "noise = 0.001" in (forecaster.path / "recipe.toml").read_text("utf-8")
    with pytest.raises(UnknownNameError, match="noise"):
        keras_fm.train("mlp", data="sample", noise=0.1, run_dir=tmp_path / "run")
    with pytest.raises(UnknownNameError, match="label_smoothing"):
        keras_fm.train("small_forecaster", label_smoothing=0.1, run_dir=tmp_path / "run")


def test_pipeline_and_server_of_a_new_task_agree(forecaster, tmp_path):
    histories = np.linspace([0.2] * 8, [0.9] * 8, 3)
    pipeline = keras_fm.pipeline(forecaster.model)
    version = keras_fm.export(forecaster.model, tmp_path / "export")
    server = ServingServer({"forecaster": [version]})
    try:
        clients = [keras_fm.Client(url, "forecaster") for url in (server.rest, server.grpc)]
        for client in clients:
            for served, expected in zip(client(histories), pipeline(histories), strict=True):
                assert served["forecast"] == pytest.approx(expected["forecast"], abs=1e-6)
        for predict in (*clients, pipeline):
            with pytest.raises(InvalidInputError, match=r"8 values; received .* \(3,\)"):
                predict([1, 2, 3])
    finally:
        server.close()


@pytest.mark.thorough
@pytest.mark.full_data
@pytest.mark.timeout(1800)
def test_who_follows_the_page_has_a_zoo_whose_tests_pass(tmp_path):
    """In a copy: the page's files, its line, its commands, and then the tests."""
    ignored = shutil.ignore_patterns(".*", "runs", "exports", "build", "__pycache__")
    copy = tmp_path / "keras_fm"
    shutil.copytree(helpers.ROOT, copy, ignore=ignored, symlinks=True)
    if not (copy / "keras_fm" / "zoo").exists():
        (copy / "keras_fm" / "zoo").symlink_to("../zoo")  # as an installation maps it
    write_files(copy)
    for name, line in code_blocks("line").items():
        text = (copy / name).read_text("utf-8")
        (copy / name).write_text(text.replace("TASKS = {\n", f"TASKS = {{\n    {line}", 1), "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(copy), "TF_CPP_MIN_LOG_LEVEL": "2"}

    def run(*words):
        result = subprocess.run(
            [sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True
        )
        assert result.returncode == 0, f"{words}\n{result.stdout[-4000:]}\n{result.stderr[-2000:]}"

    [commands] = re.findall(r"^ *```sh\n( *keras-fm train small_cnn.*?)^ *```$", PAGE, re.S | re.M)
    for command in commands.splitlines():
        program, *words = shlex.split(command)
        run(*(["-m", "keras_fm"] if program == "keras-fm" else []), *words)
    del environment["TFDS_DATA_DIR"]  # as `make test` of a fresh clone
    # The symbolic link to the zoo is a package without a sentence on what may be imported.
    deselected = "test_each_package_says_what_lives_there_and_what_it_may_import"
    # Of the tests of every model those of the new ones.
    run("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *ZOO_TESTS, "-k", "small_ or not [",
        "--deselect", f"tests/test_imports.py::{deselected}")  # fmt: skip
