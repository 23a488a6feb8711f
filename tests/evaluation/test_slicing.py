import numpy as np
import pytest

from keras_fm.errors import DataError
from keras_fm.evaluation.slicing import label_masks, slice_masks

DAYS = np.datetime64("2024-01-01", "s") + np.arange(40) * np.timedelta64(1, "D")


def counts(values):
    masks = slice_masks(np.asarray(values), "column")
    assert np.sum([*masks.values()], axis=0).tolist() == [1] * len(values)
    return {name: int(mask.sum()) for name, mask in masks.items()}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.arange(100), {"0 to 24": 25, "25 to 49": 25, "50 to 74": 25, "75 to 99": 25}),
        ([1, 2, 2, 3], {"1": 1, "2": 2, "3": 1}),
        ([0.5, np.nan, 0.5], {"0.5": 2, "missing": 1}),
        (np.r_[np.zeros(80), np.arange(1, 21)], {"0": 80, "1 to 20": 20}),
        (np.r_[np.full(80, 30.0), np.arange(20)], {"0 to 19": 20, "30": 80}),
        (np.r_[np.arange(40.0), np.nan], {"0 to 9": 10, "10 to 19": 10, "20 to 29": 10,
                                          "30 to 39": 10, "missing": 1}),
        ([np.nan, np.nan], {"missing": 2}),
        (["b", "a", "", " a "], {"a": 2, "b": 1, "missing": 1}),
        (np.array(["missing", ""]), {"missing": 1, "(missing)": 1}),
        (np.array([b"\xc3\xa4", "b"], object), {"b": 1, "ä": 1}),
        ([True, False, True], {"False": 1, "True": 2}),
        (DAYS, {"2024-01-01 to 2024-01-10": 10, "2024-01-11 to 2024-01-20": 10,
                "2024-01-21 to 2024-01-30": 10, "2024-01-31 to 2024-02-09": 10}),
        (np.r_[DAYS[:2], np.datetime64("NaT")],
         {"2024-01-01": 1, "2024-01-02": 1, "missing": 1}),
        (np.array([0, 36_000], "timedelta64[s]"), {"0:00:00": 1, "10:00:00": 1}),
    ],
)  # fmt: skip
def test_values_are_cut_into_slices(values, expected):
    assert counts(values) == expected


@pytest.mark.parametrize("count", [101, 500])
def test_a_column_of_texts_is_refused(count):
    names = np.array([f"name {index}" for index in range(count)], object)
    with pytest.raises(DataError, match=rf"slice_by='who': .*; received {count} different|{count}"):
        slice_masks(names, "who")
    assert len(label_masks(names)) == count
