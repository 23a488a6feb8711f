"""Tables as text."""

import pytest

from keras_fm.formatting import (
    choose_form,
    first_line,
    format_count,
    format_duration,
    format_names,
    format_table,
)


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


@pytest.mark.parametrize(
    ("count", "text", "verb"),
    [(0, "0 rows", "are"), (1, "1 row", "is"), (2000, "2,000 rows", "are")],
)
def test_counts_have_their_form(count, text, verb):
    assert format_count(count, "row") == text
    assert choose_form(count, "is", "are") == verb
    assert format_count(count, "class", "classes").endswith("class" if count == 1 else "classes")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "a"),
        (2, "a and b"),
        (3, "a, b and c"),
        (4, "a, b, c and 1 more"),
        (5, "a, b, c and 2 more"),
    ],
)
def test_three_names_are_listed(count, text):
    assert format_names([*"abcde"[:count]]) == text


def test_the_first_line_of_an_error():
    assert first_line(ValueError("a\nb")) == "a"
    assert first_line(ValueError()) == "ValueError"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 second"), (40, "40 seconds"), (65, "1 minute"), (170, "3 minutes"),
     (5300, "88 minutes"), (5400, "1.5 hours")],
)  # fmt: skip
def test_a_duration_is_rough(seconds, words):
    assert format_duration(seconds) == words
