"""Histograms of sketches: what they count, and that batches make no difference."""

import numpy as np
import pandas as pd
import pytest

from keras_fm.errors import InvalidInputError
from keras_fm.models import export_files
from keras_fm.sketches.histograms import Categories, Numbers, Vectors, histogram_of
from keras_fm.sketches.measuring import _thinned
from keras_fm.sketches.sketch import Sketch, read_file, write_file

RANDOM = np.random.default_rng(0)
DATES = np.datetime64("2024-01-01", "s") + RANDOM.integers(0, 10**7, 300).astype("timedelta64[s]")
VALUES = {
    "normal": RANDOM.normal(size=300),
    "missing": np.where(RANDOM.random(300) < 0.3, np.nan, RANDOM.normal(size=300)),
    "float32": RANDOM.normal(size=300).astype("float32"),
    "spike": np.where(RANDOM.random(300) < 0.9, 0.0, RANDOM.normal(size=300)),
    "integers": RANDOM.integers(0, 1000, 300),
    "few": RANDOM.integers(0, 4, 300).astype("float32"),
    "dates": DATES,
    "strings": RANDOM.choice(["a", "b", "", "ü"], 300),
    "objects": RANDOM.choice(np.array(["a", b"b"], object), 300),
    "vectors": RANDOM.normal(3, 2, (300, 5)).astype("float32"),
}
KINDS = {"few": Categories, "strings": Categories, "objects": Categories, "vectors": Vectors}


@pytest.mark.parametrize("name", VALUES)
def test_batches_count_as_all_at_once_and_survive_the_file(name, tmp_path):
    sketch = Sketch.of("some", {name: VALUES[name]})
    assert isinstance(sketch.features[name], KINDS.get(name, Numbers))
    write_file(tmp_path, sketch)
    stored = read_file(tmp_path)
    assert stored.num_examples == 300
    filled = stored.empty("the same")
    for start in range(0, 300, 70):
        filled.add({name: VALUES[name][start : start + 70]})
    assert filled.num_examples == 300
    histogram, expected = filled.features[name], sketch.features[name]
    if isinstance(expected, Vectors):
        np.testing.assert_allclose(histogram.mean, VALUES[name].mean(0), rtol=1e-5)
        np.testing.assert_allclose(histogram.variance, VALUES[name].var(0), rtol=1e-5)
    else:
        assert histogram.counts == expected.counts
        assert (histogram.missing, histogram.num_values) == (expected.missing, 300)


def test_numbers_outside_the_reference_and_missing_ones_are_counted():
    numbers = histogram_of(np.arange(1000.0), 10, 10)
    assert numbers.counts == [100] * 10
    empty = numbers.empty()
    empty.add(np.array([-5.0, 5000.0, np.nan]))
    assert (empty.counts[0], empty.counts[-1], empty.missing) == (1, 1, 1)
    assert (empty.low, empty.high) == (-5.0, 5000.0)
    assert numbers.mean == pytest.approx(499.5)
    assert histogram_of(np.full(20, np.nan), 10, 10).mean is None


def test_the_greatest_number_ends_no_bin_for_the_last_one_has_no_end():
    numbers = Numbers.of(np.repeat([1.0, 2.0], 50), 10)
    assert (numbers.cuts, numbers.counts) == ([1.0], [50, 50])


def test_few_numbers_are_categories_where_each_occurs_often():
    assert isinstance(histogram_of(np.arange(5.0), 10, 10), Numbers)
    stars = histogram_of(np.tile(np.arange(5.0), 10), 10, 10)
    assert stars.counts == dict.fromkeys(["0", "1", "2", "3", "4"], 10)


def test_dates_are_seconds_and_those_that_are_not_there_are_missing():
    days = np.array(["2024-01-01", "2024-03-01", "NaT"], "datetime64[D]")
    dates = histogram_of(days, 10, 10)
    assert (dates.is_date, dates.missing, dates.low) == (True, 1, 1704067200.0)
    durations = histogram_of(days - days[0], 10, 10)
    assert (durations.is_date, durations.missing, durations.high) == (False, 1, 60 * 86400.0)


def test_spaces_around_a_category_do_not_count():
    words = histogram_of(np.array([" a", "a ", "a", "  "], object), 10, 10)
    assert (words.counts, words.missing) == ({"a": 3}, 1)


def test_rare_categories_and_texts_are_others():
    names = np.array([f"c{index % 60}" for index in range(600)] + ["x" * 200] * 99, object)
    categories = histogram_of(names, 10, 50)
    assert len(categories.counts) == 50
    assert categories.others == 100 + 99
    assert categories.num_values == 699


@pytest.mark.parametrize("num_columns", [3, 400])
def test_the_file_is_small(num_columns, tmp_path):
    columns = {f"a column {i}": RANDOM.normal(size=500) * 1e6 for i in range(num_columns // 2)}
    columns |= {
        f"category {i}": RANDOM.choice([f"category {j:05}" for j in range(80)], 500)
        for i in range(num_columns - len(columns))
    }
    columns["embedding"] = _thinned(RANDOM.normal(size=(500, 4000)))
    assert columns["embedding"].shape == (500, 2000)
    file = write_file(tmp_path, Sketch.of("some", columns))
    assert file.stat().st_size < 200_000
    assert pd.read_json(file, typ="series")["num_examples"] == 500


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"source": 1}', b"\xff", b'{"features":{}}']
)
def test_a_broken_file_is_an_error(content, tmp_path):
    (tmp_path / export_files.SKETCH).write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"holds no sketch: .*; export the model again"):
        read_file(tmp_path)


def test_no_file_is_no_sketch(tmp_path):
    assert read_file(tmp_path) is None
