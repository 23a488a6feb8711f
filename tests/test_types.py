"""What type checkers say of uses of the package."""

import re
import subprocess
import sys
from typing import get_args, get_type_hints

import helpers
import pytest

from keras_fm import registry
from keras_fm.evaluation import evaluation
from keras_fm.explanation import explanation
from keras_fm.models.lookup import NamedModel
from keras_fm.models.spec import ModelSpec
from keras_fm.registry.tasks import TASKS, task_module
from keras_fm.tasks.base import ExplainablePredictor
from keras_fm.training.recipe_fields import RecipeFields

USES = helpers.ROOT / "tests" / "type_checks"


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    """The lines of each file of uses that mypy refuses, with what it says."""
    pytest.importorskip("mypy")
    files = [str(USES / name) for name in ("right_uses.py", "wrong_uses.py")]
    cache = tmp_path_factory.mktemp("mypy")
    # As for a user of the installed package: only what the files themselves get wrong.
    options = ["--strict", "--follow-imports=silent", "--cache-dir", str(cache)]
    process = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *files],
        cwd=helpers.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode in (0, 1), process.stdout + process.stderr
    found = {}
    for file, line, message in re.findall(r"(\w+)\.py:(\d+): error: (.*)", process.stdout):
        found.setdefault(file, {}).setdefault(int(line), message)
    return found


@pytest.mark.thorough
def test_right_uses_are_accepted(errors):
    assert errors.get("right_uses", {}) == {}


@pytest.mark.thorough
def test_wrong_uses_are_refused(errors):
    lines = (USES / "wrong_uses.py").read_text("utf-8").splitlines()
    calls = ("keras_fm", "data", "print")
    wrong = {number for number, line in enumerate(lines, 1) if line.startswith(calls)}
    assert len(wrong) >= 15
    missed = [lines[number - 1] for number in sorted(wrong - errors["wrong_uses"].keys())]
    assert missed == []


def test_recipe_fields_are_those_of_the_recipes():
    fields = {}
    for task in TASKS:
        recipe_class = task_module(task, "task").TASK.recipe_class
        for name, kind in get_type_hints(recipe_class).items():
            if name in recipe_class.__struct_fields__:
                assert fields.setdefault(name, kind) == kind, name
    assert get_type_hints(RecipeFields) == fields
    assert not RecipeFields.__required_keys__


def test_methods_are_those_of_the_predictors():
    methods = {"auto"}
    for task in TASKS:
        predictor = task_module(task, "task").TASK.predictor_class
        if issubclass(predictor, ExplainablePredictor):
            methods |= {*predictor.explain_methods}
    assert {*get_args(explanation.Method)} == methods
    assert "sample" in get_args(evaluation.Split)


@pytest.mark.parametrize("name", registry.list_models())
def test_what_is_known_before_keras_is_what_the_model_has(name):
    named = NamedModel.of(registry.find(name)[0])
    codec = task_module(named.task_name, "codec").CODEC
    task = ModelSpec.of(named.package).task
    assert codec.explain_methods == getattr(task.predictor, "explain_methods", ())
    assert codec.slices(named.info["inputs"]) == task.objective.slices
