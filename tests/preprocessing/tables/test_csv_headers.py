"""The columns of a file by its first lines: those that it has when it is read, or none."""

import bz2
import gzip

import pandas as pd
import pytest

from keras_fm.errors import DataError
from keras_fm.preprocessing.tables.chunks import read_chunks
from keras_fm.preprocessing.tables.files import read_table
from keras_fm.preprocessing.tables.headers import check_has_columns, column_names

TABLES = {
    "a.csv": b"x, y\n1,2\n",
    "bom.csv": b"\xef\xbb\xbfx,y\n1,2\n",
    "blank.csv": b"\n,,\nx,y,z\n1,2,3\n",
    "quoted.csv": b'"a, b","c\nd"\n1,2\n',
    "unnamed.csv": b",y\n1,2\n",
    "header_alone.csv": b"x,y",
    "a.csv.gz": gzip.compress(b"x,y\n1,2\n"),
    "a.csv.bz2": bz2.compress(b"x,y\n1,2\n"),
    "a.tsv": b"x\ty, z\n1\t2\n",
    "a.TAB": b'x\t"y\tz"\n1\t\n',
    "a.tsv.gz": gzip.compress(b"x\ty\n\t2\n"),
    "semicolons.csv": b"x;y\n1;2\n",
}
UNKNOWN = {
    "a.json": b'[{"x": 1}]',
    "a.jsonl": b'{"x": 1}\n{"y": 2}\n',
    "rows.csv": b'{"x": 1}\n{"y": 2}\n',
    "latin.csv": b"x,\xe9\n1,2\n",
    "cut.csv.gz": gzip.compress(b"x,y\n1,2\n")[:15],
    "empty.csv": b"",
    "binary.csv": b"x\0y\n",
    "long.csv": b"x" * 100_000 + b",y\n1,2\n",
    "a.parquet": b"PAR1x,y\n",
}


@pytest.mark.parametrize(("name", "content"), TABLES.items(), ids=TABLES)
def test_the_columns_are_those_of_the_table(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    names = column_names(path)
    if name != "header_alone.csv":
        assert [*read_chunks(path, 10).names] == names
    assert [*read_table(path).columns] == names


@pytest.mark.parametrize(("name", "content"), UNKNOWN.items(), ids=UNKNOWN)
def test_what_is_not_sure_is_not_refused(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    assert column_names(path) is None
    check_has_columns(path, ["z"])
    check_has_columns(tmp_path, ["z"])


def test_a_missing_column_is_named_with_the_near_one(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(TABLES["a.csv"])
    check_has_columns(path, [None, "x", " y "])
    with pytest.raises(DataError, match=r"a\.csv has no column 'yy'. Did you mean 'y'"):
        check_has_columns(path, ["x", "yy"])


def test_cells_between_tabs_are_those_between_commas(tmp_path):
    frame = pd.DataFrame({"size": [1.5, None], "kind": ["a, b", 'a "b"'], "code": ["01", ""]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    expected = read_table(tmp_path / "a.csv", {"code": str})
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.tsv", {"code": str}), expected)
    [chunk] = read_chunks(tmp_path / "a.tsv", 10).frames
    assert chunk["kind"].tolist() == frame["kind"].tolist()
    (tmp_path / "long.tsv").write_text("x\ty\n1\t2\t3\n")
    with pytest.raises(DataError, match=r"expected 2 cells.*A cell with a tab stands in quotes"):
        read_table(tmp_path / "long.tsv")
