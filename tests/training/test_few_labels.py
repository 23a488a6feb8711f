import pytest


@pytest.fixture
def tool(tools):
    return tools("few_labels")


@pytest.mark.parametrize(
    ("review", "expected"),
    [
        ("Good. 7/10, all in all", ("Good.  , all in all", "7 and 8")),
        ("Two out of 10? 2 out of ten.", ("Two out of 10?  .", "0 to 2")),
        ("9,5 / 10", (" ", "9 and 10")),
        ("8.5/10", None),  # between two ranges
        ("8/10, not 3/10", None),
        ("on 11/10/2001", None),
        ("5/10", None),
        ("no stars", None),
    ],
)
def test_a_rating_is_read_and_removed_from_the_review(tool, review, expected):
    assert tool.by_stars(review) == expected


def test_a_genre_that_is_named_alone_is_read_and_removed(tool):
    assert tool.by_genre("A Cartoon of cars, animated.") == ("A   of cars,  .", "animation")
    assert tool.by_genre("A romantic comedy") is None
    assert tool.by_genre("A film about warships") is None
