import ast
import inspect
import sys

import helpers
import pytest

import keras_fm

SLOW = {"keras", "rich", "tensorflow", "tensorflow_datasets", "jax", "msgspec", "numpy", "h5py"}


@pytest.mark.parametrize(
    "use",
    ["keras_fm.list_models()", "keras_fm.cli.main(['list'])", "keras_fm.cli.main(['list', 'c*'])"],
)
def test_listing_imports_nothing_slow(use):
    code = f"import sys, keras_fm, keras_fm.cli; {use}; print('|', *sys.modules)"
    process = helpers.python(code)
    assert process.returncode == 0, process.stderr
    loaded = process.stdout.rpartition("|")[2].split()
    assert "keras_fm.registry" in loaded
    assert not SLOW & set(loaded)


@pytest.mark.parametrize("name", keras_fm.__all__)
def test_every_public_name_has_a_docstring(name):
    assert inspect.getdoc(getattr(keras_fm, name))


def test_dir_shows_public_names_alone():
    assert sorted(dir(keras_fm)) == sorted([*keras_fm.__all__, "__version__"])


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'keras_fm' has no attribute 'gett'"):
        _ = keras_fm.gett
    assert not hasattr(keras_fm, "nothing")


def test_type_checkers_see_the_public_names():
    tree = ast.parse(inspect.getsource(keras_fm))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.asname: statement.module.removeprefix("keras_fm.")
        for block in blocks
        if ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        for alias in statement.names
    }
    assert seen == keras_fm._PUBLIC | dict.fromkeys(keras_fm._MODULES, "keras_fm")


@pytest.mark.parametrize("name", keras_fm._MODULES)
def test_public_modules_need_no_import(name, monkeypatch):
    monkeypatch.delattr(keras_fm, name, raising=False)
    assert getattr(keras_fm, name) is sys.modules[f"keras_fm.{name}"]


def test_options_are_keyword_only():
    # Data, inputs, a directory, another model: no options.
    two_positional = ("fine_tune", "explain", "export", "compare", "drift")
    functions = [getattr(keras_fm, name) for name in keras_fm.__all__]
    for function in filter(inspect.isfunction, functions):
        kinds = [p.kind for p in inspect.signature(function).parameters.values()][1:]
        positional = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
        assert positional == (function.__name__ in two_positional), function.__name__


def test_help_lists_the_public_names_with_the_first_lines_of_their_docstrings():
    documented = " ".join(inspect.getdoc(keras_fm).split())
    for name in keras_fm.__all__:
        first_line = inspect.getdoc(getattr(keras_fm, name)).splitlines()[0]
        assert f" {name}: {first_line} " in documented
