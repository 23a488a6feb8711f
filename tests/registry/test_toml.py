import os

import pytest

from keras_fm.errors import SchemaError
from keras_fm.registry import toml


def test_a_syntax_error_names_file_and_line(tmp_path):
    path = tmp_path / "entry.toml"
    path.write_text('name = "a"\nrows = = 3\n')
    with pytest.raises(SchemaError, match=r"entry\.toml: not valid TOML: .*line 2, column 8"):
        toml.read_toml(path)


def test_text_that_is_no_utf8_is_named(tmp_path):
    path = tmp_path / "entry.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(SchemaError, match=r"entry\.toml: not valid TOML"):
        toml.read_toml(path)


def test_deep_nesting_is_an_error_too(tmp_path):
    path = tmp_path / "entry.toml"
    path.write_text("a = " + "[" * 50_000)
    with pytest.raises(SchemaError, match=r"entry\.toml: not valid TOML"):
        toml.read_toml(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SchemaError, match=r"gone\.toml: can't be read \(No such file"):
        toml.read_toml(tmp_path / "gone.toml")


def test_a_file_too_large_is_not_parsed(tmp_path):
    path = tmp_path / "entry.toml"
    path.write_text("#" * toml.MAX_BYTES)
    assert toml.read_toml(path) == {}
    path.write_text("#" * (toml.MAX_BYTES + 1))
    with pytest.raises(SchemaError, match=r"at most 64,000 bytes"):
        toml.read_toml(path)


@pytest.mark.parametrize(
    "text",
    [
        "a." * 30_000 + "a = 1",
        "[" + "a." * 30_000 + "a]",
        "a = {" + "a . " * 10_000 + "a = 1}",
        """"a".'b'.""" * 7_000 + "a = 1",
    ],
)
def test_a_key_of_thousands_of_parts_is_not_parsed(tmp_path, text):
    path = tmp_path / "entry.toml"
    path.write_text(text)
    with pytest.raises(SchemaError, match=r"entry\.toml: not valid TOML: a key of more than 16"):
        toml.read_toml(path)


def test_a_key_of_some_parts_is_fine(tmp_path):
    path = tmp_path / "entry.toml"
    path.write_text("a." * 15 + "a = 'one. two. three.'")
    assert list(toml.read_toml(path)) == ["a"]


@pytest.mark.parametrize("text", ["a = " + "9" * 10_000, "a = 2021-13-45", "a = 1e", "\0", "a"])
def test_values_that_are_none_are_errors(tmp_path, text):
    path = tmp_path / "entry.toml"
    path.write_text(text)
    with pytest.raises(SchemaError, match=r"entry\.toml: not valid TOML"):
        toml.read_toml(path)


def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "entry.toml")
    for path in (tmp_path / "entry.toml", tmp_path, tmp_path.__class__("/dev/zero")):
        with pytest.raises(SchemaError, match="is no file"):
            toml.read_toml(path)
