"""Tables as text."""

import pytest

from keras_fm.formatting import format_table


@pytest.mark.parametrize(
    ("justify", "text"),
    [
        (str.ljust, "      accuracy  auc\nhead  0.5       1\nall   0.75"),
        (str.rjust, "      accuracy  auc\nhead       0.5    1\nall       0.75"),
    ],
)
def test_a_table_has_its_first_column_left_and_no_blanks_at_the_end(justify, text):
    rows = [("", "accuracy", "auc"), ("head", "0.5", "1"), ("all", "0.75", "")]
    assert format_table(rows, justify) == text
