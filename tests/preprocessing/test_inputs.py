import helpers
import pytest


@pytest.mark.parametrize("kind", ["images", "tables", "texts"])
def test_no_import_of_tensorflow_or_pandas(kind):
    """A client reads raw inputs, and starts fast."""
    code = f"import sys, keras_fm.preprocessing.{kind}.inputs; print('|', *sys.modules)"
    modules = helpers.python(code).stdout.rpartition("|")[2].split()
    assert f"keras_fm.preprocessing.{kind}.inputs" in modules
    assert {"tensorflow", "keras", "pandas", "PIL"}.isdisjoint(modules)
