"""Examples in memory and in files."""

import helpers
import numpy as np
import pytest

from keras_fm.data import example_files
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError


def test_a_subset_of_examples():
    noise = helpers.noise(10)
    subset = noise.subset(np.array([7, 2]), "two of them")
    np.testing.assert_array_equal(subset.inputs, noise.inputs[[7, 2]])
    assert (subset.targets.tolist(), subset.description, len(subset)) == ([1, 2], "two of them", 2)


def test_a_subset_of_a_table():
    table = Examples({"a": np.arange(4), "b": np.array([*"wxyz"])}, np.arange(4), "x")
    subset = table.subset(table.targets > 1, "two of them")
    assert {name: column.tolist() for name, column in subset.inputs.items()} == {
        "a": [2, 3], "b": ["y", "z"]
    }  # fmt: skip
    assert (len(table), len(subset)) == (4, 2)


@pytest.mark.parametrize(
    "inputs",
    [
        helpers.noise(4).inputs,
        {"a": np.arange(4.0, dtype="float32"), "b": np.array(["w", "é", "", "z"])},
        np.array([b"a text", "é".encode(), b"\xff", b"a longer text"], object),
    ],
    ids=["images", "table", "texts"],
)
def test_a_file_of_examples_is_read_as_it_was_written(inputs, tmp_path):
    written = Examples(inputs, np.arange(4), "four, ä")
    example_files.save_examples(written, tmp_path / "x.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]
    read = example_files.load_examples(tmp_path / "x.npz")
    assert read.description == written.description
    assert read.targets.tolist() == [0, 1, 2, 3]
    for array, expected in zip(
        *(x.inputs.values() if isinstance(inputs, dict) else [x.inputs] for x in (read, written)),
        strict=True,
    ):
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)


def test_an_interrupted_write_leaves_the_earlier_file(tmp_path, monkeypatch):
    def interrupt(file, **arrays):
        file.write(b"a part")
        raise KeyboardInterrupt

    path = tmp_path / "x.npz"
    example_files.save_examples(helpers.noise(3), path)
    monkeypatch.setattr(np, "savez_compressed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        example_files.save_examples(helpers.noise(4), path)
    assert len(example_files.load_examples(path)) == 3


def test_a_file_of_something_else_is_named(tmp_path):
    np.savez(tmp_path / "x.npz", targets=np.arange(3))
    (tmp_path / "y.npz").write_text("no archive")
    for name in ("x.npz", "y.npz", "z.npz"):
        with pytest.raises(DataError, match=rf"{name} holds no examples"):
            example_files.load_examples(tmp_path / name)
