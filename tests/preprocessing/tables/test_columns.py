import pytest

from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing.tables.columns import find_column, sanitized_names

COLUMNS = {
    "signs": ["a b", "a/b", "ä", "1st", "fine_1"],
    "underscores": ["a_b_2", "a b", "a_b"],
    "case": ["Age", "age", "AGE", "age_1"],
    "self": ["self", "Self"],
    "Chinese": ["面积", "楼层", "价格"],
    "Russian": ["площадь", "комнаты", "цена"],
    "Greek": ["τιμή", "είδος"],
    "accents": ["été", "ete", "eté"],
    "joined and not": ["caf\u00e9", "cafe\u0301"],
    "blanks": [" a", "a ", "a"],
    "empty": ["", " "],
}


@pytest.mark.parametrize("names", COLUMNS.values(), ids=COLUMNS)
def test_sanitized_names_differ_whatever_their_case(names):
    sanitized = sanitized_names(names)
    assert list(sanitized) == names
    assert len({name.lower() for name in sanitized.values()}) == len(names)
    assert all(name.isascii() and name.isidentifier() for name in sanitized.values())
    assert "self" not in map(str.lower, sanitized.values()), "a signature has one"


@pytest.mark.parametrize("names", COLUMNS.values(), ids=COLUMNS)
def test_a_client_finds_each_column_without_the_order(names):
    for name, sanitized in sanitized_names(names).items():
        assert find_column(sanitized, reversed(names)) == name
        assert find_column(sanitized, ["other", *names, "x y"]) == name
        assert find_column(sanitized, [*names, sanitized]) == sanitized


def test_plain_names_stay():
    names = ["carat", "mean radius", "x_1"]
    assert sanitized_names(names) == dict(zip(names, ["carat", "mean_radius", "x_1"], strict=True))
    assert find_column("mean_radius", names) == "mean radius"
    assert find_column("gone", names) is None


def test_a_name_does_not_depend_on_the_other_columns():
    first, second = sanitized_names(["楼层", "面积"]), sanitized_names(["价格", "楼层"])
    assert first["楼层"] == second["楼层"]


def test_columns_that_could_both_be_meant_are_an_error():
    with pytest.raises(InvalidInputError, match=r"columns 'a b' and 'a-b' could both be 'a_b'"):
        find_column("a_b", ["a b", "a-b"])
    assert find_column("a_b", ["a b", "a_b"]) == "a_b"
