"""The versions of one folder are versions of one model: clients of it go on."""

import json

import helpers
import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from keras_fm import registry
from keras_fm.errors import InvalidInputError
from keras_fm.exporting import saved_model, server_files
from keras_fm.exporting.same_model import check_same_model
from keras_fm.models import loading
from keras_fm.models.spec import ModelSpec


def info_of(name, **changes):
    return {**ModelSpec.of(registry.find(name)[0]).to_dict(), **changes}


def column(name, dtype="float32", **more):
    return {"name": name, "dtype": dtype, "shape": [], "description": "", **more}


def write_version(base, info, number=1):
    version = base / str(number)
    version.mkdir(parents=True)
    (version / "saved_model.pb").touch()
    if info is not None:
        (version / "keras_fm.json").write_text(json.dumps(info))


TABLE = info_of("linear_regression", inputs=[column("size"), column("kind", "string")])

OTHERS = {
    "classes": (info_of("cifar_cnn", labels=["a", "b", "c"]), info_of("cifar_cnn"), "classes 'a'"),
    "order of classes": (
        info_of("cifar_cnn", labels=["a", "b"]), info_of("cifar_cnn", labels=["b", "a"]), "'b', 'a'"
    ),
    "task": (info_of("lstm"), info_of("char_lstm"), "task text-classification"),
    "images": (
        info_of("cifar_cnn", labels=["a"]), info_of("fashion_cnn", labels=["a"]), "inputs 'image'"
    ),
    "columns": (TABLE, {**TABLE, "inputs": [column("size")]}, "'kind' string"),
    "types of columns": (
        TABLE, {**TABLE, "inputs": [column("size", "string"), column("kind", "string")]}, "'size'"
    ),
    "target": (TABLE, {**TABLE, "target": {"name": "rent"}}, "target 'price'.*target 'rent'"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_a_model_of_something_else_is_refused(kind, tmp_path):
    old, new, message = OTHERS[kind]
    write_version(tmp_path / "exports", old, 2)
    with pytest.raises(InvalidInputError, match=rf"exports holds.*{message}.*another folder"):
        check_same_model(tmp_path / "exports", new)


SAME = {
    "itself": (TABLE, TABLE),
    "a better model": (info_of("cifar_cnn_basic"), info_of("cifar_cnn")),
    "new categories": (
        TABLE,
        {**TABLE, "inputs": [column("size"), column("kind", "string", categories=["a", "b"])]},
    ),
}


@pytest.mark.parametrize("kind", SAME)
def test_the_next_version_of_the_same_model_goes_on(kind, tmp_path):
    old, new = SAME[kind]
    write_version(tmp_path, info_of("gan"), 1)  # the highest version is the one that is served
    write_version(tmp_path, old, 10)
    check_same_model(tmp_path, new)


@pytest.mark.parametrize("folder", ["nothing", "notes"])
def test_a_folder_without_versions_takes_any_model(folder, tmp_path):
    (tmp_path / "notes" / "2026").mkdir(parents=True)
    check_same_model(tmp_path / folder, TABLE)


def test_a_saved_model_of_another_program_is_no_version_of_ours(tmp_path):
    write_version(tmp_path, None)
    with pytest.raises(InvalidInputError, match="that keras_fm did not write: name another folder"):
        check_same_model(tmp_path, TABLE)


def test_nothing_is_written_where_another_model_is(tmp_path):
    write_version(tmp_path / "exports", info_of("cifar_cnn", labels=["a", "b", "c"]))
    model = loading.get("linear_regression", weights=None)
    for version in (None, 7):
        with pytest.raises(InvalidInputError, match="another folder"):
            saved_model.export(model, tmp_path / "exports", version=version)
    assert sorted(path.name for path in (tmp_path / "exports").iterdir()) == ["1"]


def test_a_model_is_served_by_the_name_of_its_folder(tmp_path):
    model = loading.get("linear_regression", weights=None)
    helpers.export(model, tmp_path / "houses of 2026")
    base = tmp_path / "houses of 2026"
    text = (base / "models.config").read_text("utf-8")
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    [served] = config.model_config_list.config
    assert (served.name, served.base_path) == ("houses_of_2026", "/models/houses_of_2026")
    readme = (base / "README.md").read_text("utf-8")
    assert "-e MODEL_NAME=houses_of_2026" in readme
    assert "localhost:8501/v1/models/houses_of_2026:predict" in readme


@pytest.mark.parametrize(("folder", "name"), [("wine", "wine"), ("a b", "a_b"), ("вино", "model")])
def test_the_name_is_one_that_a_server_takes(folder, name, tmp_path, monkeypatch):
    assert server_files.served_name(tmp_path / folder) == name
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    assert server_files.served_name(tmp_path.__class__(".")) == name
