"""Sentences on files that are not there or can't be read."""

import os

import pytest

from keras_fm import file_errors


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "cats").mkdir(parents=True)
    for name in ("reviews.csv", "reviews.txt", "img_01.png", "gone.jpg", ".hidden", "data/a.csv"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("reveiws.csv", "reviews.csv"),
        ("reveiws.txt", "reviews.txt"),
        ("reviews.parquet", "reviews.csv"),
        ("Reviews.CSV", "reviews.csv"),
        ("reviews", "reviews.csv"),
        ("dta/a.csv", "data/a.csv"),
        ("data/cast", "data/cats"),
        ("img_02.png", None),  # another image of a series is no slip
        ("one.png", "gone.jpg"),
        ("hidden", None),
        ("dta/b.csv", None),
        ("something.csv", None),
        ("no/such/a.csv", None),
        ("a\0b.csv", None),
        ("x" * 5000, None),
    ],
)
def test_a_near_name_is_one_slip_away(name, near, files):
    path = file_errors.near_file(name)
    assert path == (near if near is None else type(path)(near))
    sentence = file_errors.missing_file(name)
    assert sentence.startswith("there is no file ")
    assert sentence.endswith(f"; did you mean {near}?") == (near is not None)


def test_a_missing_file_says_where_it_is_missing(files):
    assert file_errors.missing_file("x.csv") == f"there is no file x.csv in {os.getcwd()}"
    assert file_errors.missing_file("/x.csv") == "there is no file /x.csv"
    sentence = file_errors.missing_file("no/such/x.csv")
    assert sentence == "there is no file no/such/x.csv: there is no folder no"


def test_other_errors_have_no_number(files):
    error = IsADirectoryError(21, "Is a directory", "data")
    assert file_errors.unreadable_file("data", error) == "data is a folder; expected a file"
    error = PermissionError(13, "Permission denied", "a.csv")
    assert file_errors.unreadable_file("a.csv", error) == "a.csv can't be read: Permission denied"
    assert file_errors.reason_of(ValueError()) == "ValueError"
