import pytest

from keras_fm import schema
from keras_fm.errors import SchemaError


class Size(schema.Struct):
    rows: int
    columns: int = 1


class Sheet(schema.Struct):
    name: str
    sizes: list[Size] = []


def test_a_table_becomes_a_struct():
    sheet = schema.convert({"name": "a", "sizes": [{"rows": 2}]}, Sheet, where="here")
    assert sheet == Sheet("a", [Size(2, 1)])


def test_a_struct_stays_as_it_is():
    with pytest.raises(AttributeError, match="immutable"):
        Size(1).rows = 2


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"name": 7}, "here: field 'name': expected `str`, got `int`, received 7"),
        ({"name": True}, "here: field 'name': expected `str`, got `bool`, received True"),
        ({"name": "a", "sizes": [{"rows": 1}, {"rows": "2"}]},
         "here: field 'sizes[1].rows': expected `int`, got `str`, received '2'"),
        ({"nam": "a"}, "here: unknown field 'nam'. Did you mean 'name'?"),
        ({}, "here: object missing required field `name`"),
        ({"name": "a", "sizes": [{}]},
         "here: field 'sizes[0]': object missing required field `rows`, received {}"),
    ],
)  # fmt: skip
def test_an_error_names_place_field_and_value(table, sentence):
    with pytest.raises(SchemaError) as caught:
        schema.convert(table, Sheet, where="here")
    assert str(caught.value) == sentence


def test_an_unknown_field_deep_inside_is_named():
    table = {"name": "a", "sizes": [{"rows": 1, "colums": 2}]}
    with pytest.raises(SchemaError, match=r"here: .*sizes\[0\].*colums"):
        schema.convert(table, Sheet, where="here")


def test_a_syntax_error_names_file_and_line(tmp_path):
    path = tmp_path / "entry.toml"
    path.write_text('name = "a"\nrows = = 3\n')
    with pytest.raises(SchemaError, match=r"entry\.toml: not valid TOML: .*line 2, column 8"):
        schema.read_toml(path)


def test_text_that_is_no_utf8_is_named(tmp_path):
    path = tmp_path / "entry.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(SchemaError, match=r"entry\.toml: not valid TOML"):
        schema.read_toml(path)


def test_deep_nesting_is_an_error_too(tmp_path):
    path = tmp_path / "entry.toml"
    path.write_text("a = " + "[" * 50_000)
    with pytest.raises(SchemaError, match=r"entry\.toml: not valid TOML"):
        schema.read_toml(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SchemaError, match=r"gone\.toml: can't be read \(No such file"):
        schema.read_toml(tmp_path / "gone.toml")


def test_a_file_too_large_is_not_parsed(tmp_path):
    path = tmp_path / "entry.toml"
    path.write_text("#" * schema.MAX_BYTES)
    assert schema.read_toml(path) == {}
    path.write_text("#" * (schema.MAX_BYTES + 1))
    with pytest.raises(SchemaError, match=r"200,001 bytes.*at most 200,000"):
        schema.read_toml(path)
