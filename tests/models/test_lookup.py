import shutil

import pytest

from keras_fm.errors import RunError, UnknownNameError, WeightsError
from keras_fm.models import loading
from keras_fm.models.lookup import look_up
from keras_fm.models.spec import spec_of


@pytest.mark.parametrize("name", ["cifar_cnn_basic", "mini_bert.mlm", "linear_regression"])
def test_a_name_is_the_model_that_get_opens(name):
    spec, named = spec_of(loading.get(name)), look_up(name)
    assert (named.package, named.task_name) == (spec.package, spec.task_name)
    assert named.labels == spec.labels


def test_a_run_and_a_keras_file_are_the_model_that_get_opens(small_run, tmp_path):
    file = tmp_path / "mine.keras"
    small_run.model.save(file)
    for path in (small_run.path, file):
        spec, named = spec_of(loading.get(path)), look_up(path)
        assert (named.package, named.task_name) == (spec.package, spec.task_name)
        assert named.labels == spec.labels


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("lstmm", UnknownNameError, "Did you mean 'lstm'"),
        ("lstm.best", UnknownNameError, "has no weights 'best'"),
        ("gone.keras", WeightsError, "there is no file gone.keras"),
        ("cut.keras", WeightsError, "can't be opened as a Keras model"),
        ("folder", UnknownNameError, "folder is no run directory"),
        ("model.h5", UnknownNameError, "is an HDF5 file"),
    ],
)
def test_it_refuses_what_get_refuses(name, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "cut.keras").write_bytes(b"PK")
    for function in (look_up, loading.get):
        with pytest.raises(error, match=message):
            function(name)


def test_a_run_that_did_not_end_is_refused(small_run, tmp_path):
    shutil.copytree(small_run.path, tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    for function in (look_up, loading.get):
        with pytest.raises(RunError, match="did not end; resume it"):
            function(tmp_path / "run")
