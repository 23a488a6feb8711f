"""Files of tables: rows longer than the header, other kinds of files, other encodings."""

import bz2
import csv
import gzip
import json
import lzma
import zipfile

import helpers
import numpy as np
import pandas as pd
import pytest

from keras_fm.errors import DataError, DataWarning
from keras_fm.preprocessing.tables.files import read_table

TABLE = {"a": [1, 3], "b": ["x", "y"]}
CSV = "a,b\n1,x\n3,y\n"


def read(tmp_path, content, name="t.csv", **options):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(file, **options)


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,x,\n3,y,\n",
        "a,b\n1,x,\n3,y\n",
        "a,b\n1,x\n3,y,,,\n",
        "a,b\n1,x, , \n3,y\n",
        'a,b\n1,x,""\n3,y\n',
        "a,b,\n1,x,\n3,y,\n",
        "a,b\r\n1,x,\r\n3,y,\r\n",
        "a,b\r1,x,\r3,y,\r",
        "\ufeffa,b\n1,x,\n3,y\n",
        "\n  \na,b\n\n1,x,\n   \n3,y\n",
        " a , b\n 1, x\n 3, y\n",
        '"a", "b"\n1, "x"\n3, "y"\n',
    ],
)
def test_cells_beyond_the_header_that_are_empty_do_not_count(tmp_path, content):
    assert read(tmp_path, content).to_dict("list") == TABLE
    strings = read(tmp_path, content, dtype=str)
    assert strings.to_dict("list") == {"a": ["1", "3"], "b": ["x", "y"]}


@pytest.mark.parametrize(
    ("content", "line", "cells"),
    [
        ("a,b\n1,x,2\n", 2, 3),
        ("a,b\n1,x\n3,y,,z\n", 3, 4),
        ("a,b\n\n1,x\n\n3,y,z\n", 5, 3),
        ('a,b\n1,"x\nx"\n3,y,z\n', 4, 3),
        ('a,b\n1,x\n3,"y\ny",z\n', 3, 3),
        ("text,label\none, two, three,pos\n", 2, 4),
        ('text,label\n"she said \\"well, yes\\" twice",pos\n', 2, 3),
        ("a,b\n0,1,x\n1,3,y\n", 2, 3),
        ("a\n1,5\n", 2, 2),
    ],
)
def test_a_row_with_more_cells_than_the_header_is_named_by_its_line(tmp_path, content, line, cells):
    message = rf"t\.csv, line {line}: expected \d cells, as in the header; received {cells}"
    for dtype in (None, str):
        with pytest.raises(DataError, match=message):
            read(tmp_path, content, dtype=dtype)


def test_a_row_longer_than_the_header_can_be_of_another_separator(tmp_path):
    with pytest.raises(DataError, match="between ';'; expected commas"):
        read(tmp_path, "a;b\n1,5;2,5\n")


@pytest.mark.parametrize("header", ["a,a", "a, a", 'a,"a "', "b,a,,a"])
def test_two_columns_of_one_name_are_an_error(tmp_path, header):
    with pytest.raises(DataError, match="has two columns 'a'; give one another name"):
        read(tmp_path, f"{header}\n1,2,3,4\n" if header.count(",") > 1 else f"{header}\n1,2\n")


def test_columns_without_a_name_are_called_as_by_pandas(tmp_path):
    assert [*read(tmp_path, ",a,\n0,1,2\n")] == ["Unnamed: 0", "a", "Unnamed: 2"]
    assert [*read(tmp_path, ",Unnamed: 0,a\n0,1,2\n")] == ["Unnamed: 0.1", "Unnamed: 0", "a"]


@pytest.mark.parametrize("word", ["None", "NA", "N/A", "null", "nan", "<NA>", "#N/A"])
def test_only_an_empty_cell_is_missing(tmp_path, word):
    frame = read(tmp_path, f"a,b\n1,{word}\n,\n")
    assert frame["b"][0] == word
    assert frame.isna().to_numpy().tolist() == [[False, False], [True, True]]


def test_a_cell_can_be_long(tmp_path):
    limit = csv.field_size_limit()
    assert len(read(tmp_path, f"a,b\n{'x' * 200_000},1\n")["a"][0]) == 200_000
    assert csv.field_size_limit() == limit


def zip_of(tmp_path, *names):
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return (tmp_path / "archive").read_bytes()


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv"])
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files_are_read(tmp_path, compress, name):
    assert read(tmp_path, compress(CSV.encode()), name).to_dict("list") == TABLE
    with pytest.raises(DataError, match=r"t\.csv.* can't be decompressed"):
        read(tmp_path, compress(CSV.encode() * 100)[:-12], name)


def test_a_zipped_file_is_read(tmp_path):
    assert read(tmp_path, zip_of(tmp_path, "t.csv"), "t.zip").to_dict("list") == TABLE


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_parquet_is_read_by_its_content(tmp_path, name):
    pytest.importorskip("pyarrow")
    pd.DataFrame(TABLE, index=[7, 9]).to_parquet(tmp_path / name)
    assert read_table(tmp_path / name).to_dict("list") == TABLE
    pd.DataFrame(TABLE).set_index("a").to_parquet(tmp_path / name)
    assert read_table(tmp_path / name).to_dict("list") == TABLE
    with pytest.raises(DataError, match="can't be read as a Parquet file"):
        read(tmp_path, b"PAR1 cut", name)


def test_parquet_without_pyarrow_says_what_is_missing(tmp_path, monkeypatch):
    def read_parquet(stream):
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr(pd, "read_parquet", read_parquet)
    with pytest.raises(DataError, match=r"is a Parquet file.*install pyarrow, or save it as CSV"):
        read(tmp_path, b"PAR1")


@pytest.mark.parametrize("name", ["t.json", "t.jsonl", "t.ndjson", "t.csv", "t.txt"])
@pytest.mark.parametrize(
    "content",
    [
        '{"a": 1, "b": "x"}\n{"a": 3, "b": "y"}\n',
        '\n{"a": 1, "b": "x"}\n\n{"a": 3, "b": "y"}',
        '[{"a": 1, "b": "x"}, {"a": 3, "b": "y"}]',
        json.dumps(TABLE, indent=1),
        pd.DataFrame(TABLE).to_json(),
        pd.DataFrame(TABLE).to_json(orient="split"),
        pd.DataFrame(TABLE).to_json(orient="table", index=False),
    ],
    ids=["lines", "blank", "records", "columns", "indexed", "split", "table"],
)
def test_json_is_read(tmp_path, content, name):
    assert read(tmp_path, content, name).to_dict("list") == TABLE


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("3", "expected rows in JSON.*received '3'"),
        ("[1, 2]", "expected rows in JSON"),
        ('{"a": 1}\n{"a": \n', r"t\.json, line 2: can't be read as JSON"),
        ('{"a": [1, 2], "b": [1]}', "can't be read as a table"),
    ],
)
def test_json_that_is_no_table_is_named(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content, "t.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("größe,y\n1,2\n".encode("latin-1"), r"is not UTF-8 \(byte 0xf6 in line 1\): save "
         r"it as UTF-8.*pandas\.read_csv\('.*t\.csv', encoding='latin-1'\)"),
        ("y,n\n1,naïve\n".encode("cp1252"), r"is not UTF-8 \(byte 0xef in line 2\)"),
        (CSV.encode("utf-16"), "is UTF-16: save it as UTF-8.*encoding='utf-16'"),
        (CSV.encode("utf-16-le"), "is UTF-16-LE.*encoding='utf-16-le'"),
        (CSV.encode("utf-16-be"), "is UTF-16-BE.*encoding='utf-16-be'"),
        (CSV.encode("utf-32"), "is UTF-32"),
        (b"\x89HDF\r\n\x1a\n\0\0", r"is an HDF5 file: pass a data frame: pandas\.read_hdf"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "is an old Excel workbook: save it as CSV"),
        (b"SQLite format 3\0", "is an SQLite database"),
        (b"\x93NUMPY\x01\0", "is a NumPy array"),
        (b"ARROW1\0\0", r"is an Arrow file.*pandas\.read_feather"),
        (b"%PDF-1.7", "is a PDF"),
        (b"\x89PNG\r\n", "is a PNG image"),
        (b"<!DOCTYPE html><html>", r"is a web page \(HTML\)"),
        (b"a,b\n1,\0\n", "is a binary file"),
        (b"", "it has no header"),
        (b'a,b\n1,"x\n', r"can't be read as a CSV file: .*EOF inside string"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_says_what_it_is_and_what_to_do(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["[Content_Types].xml", "xl/workbook.xml"], "a workbook of Excel.*pandas.read_excel"),
        (["mimetype", "content.xml"], "a workbook of Excel or LibreOffice"),
        (["config.json", "metadata.json", "model.weights.h5"], "is a Keras model"),
        (["x.npy", "y.npy"], "is an archive of NumPy arrays"),
        (["a.csv", "b.csv"], "is a zip archive of 2 files: unpack it"),
    ],
)
def test_an_archive_says_what_it_is(tmp_path, names, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, zip_of(tmp_path, *names), "t.xlsx")
    with pytest.raises(DataError, match="is a damaged zip archive"):
        read(tmp_path, zip_of(tmp_path, *names)[:50], "t.zip")


def test_a_missing_file_or_a_folder_is_named(tmp_path):
    for name in ("t.csv", "t.parquet", "t.jsonl"):
        with pytest.raises(DataError, match=f"there is no file .*{name}"):
            read_table(tmp_path / name)
    with pytest.raises(DataError, match="is a folder; expected a file"):
        read_table(tmp_path)


def test_numbers_are_read_as_by_pandas(tmp_path):
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=100), "n": range(100)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv"), frame)


def test_no_import_of_tensorflow():
    code = "import sys, keras_fm.preprocessing.tables.files; print('|', *sys.modules)"
    modules = helpers.python(code).stdout.rpartition("|")[2].split()
    assert "keras_fm.preprocessing.tables.files" in modules
    assert not {"tensorflow", "keras", "pandas"} & {*modules}


@pytest.mark.parametrize("end", ["\n", "", "\r\n"])
def test_rows_of_fewer_cells_are_told(end, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b,c\n1,2,3\n4,5\n\n6,7,8\n9" + end, newline="")
    message = "2 rows have fewer cells than the header, in lines 3 and 6: the other cells count"
    with pytest.warns(DataWarning, match=message):
        frame = read_table(path)
    assert frame["c"].isna().tolist() == [False, True, False, True]
