import pytest

from keras_fm.errors import SchemaError
from keras_fm.registry import schema


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
    ("table", "message"),
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
def test_an_error_names_source_field_and_value(table, message):
    with pytest.raises(SchemaError) as caught:
        schema.convert(table, Sheet, where="here")
    assert str(caught.value) == message


def test_an_unknown_field_deep_inside_is_named():
    table = {"name": "a", "sizes": [{"rows": 1, "colums": 2}]}
    with pytest.raises(SchemaError, match=r"here: .*sizes\[0\].*colums"):
        schema.convert(table, Sheet, where="here")


def test_a_long_value_is_shortened():
    with pytest.raises(SchemaError) as caught:
        schema.convert({"name": ["x" * 5_000] * 5_000}, Sheet, where="here")
    assert len(str(caught.value)) < 2_000


def test_a_value_too_deep_to_be_written_down_is_shortened():
    deep: object = 1
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(SchemaError, match="field 'name': expected `str`"):
        schema.convert({"name": deep}, Sheet, where="here")
