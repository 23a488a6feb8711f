"""`verbose`, and the bars of long works."""

import io
import sys

import numpy as np
import pytest

from keras_fm import progress
from keras_fm.errors import InvalidInputError


class Terminal(io.StringIO):
    def isatty(self):
        return True


OutStream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})


@pytest.fixture
def no_delay(monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0.0)


@pytest.mark.parametrize(
    ("stream", "verbose"), [(Terminal(), 1), (OutStream(), 1), (io.StringIO(), 2), (None, 0)]
)
def test_auto_is_a_bar_on_a_terminal_and_in_a_notebook(monkeypatch, stream, verbose):
    monkeypatch.setattr(sys, "stdout", stream)
    assert progress.current_verbose() == verbose


@pytest.mark.parametrize("verbose", [0, 1, 2, np.int64(1), True, False])
def test_a_number_is_kerass(verbose):
    with progress.verbosity(verbose):
        assert progress.current_verbose() == int(verbose)
        with progress.verbosity("auto"):
            assert progress.current_verbose() == int(verbose)


@pytest.mark.parametrize("verbose", [3, -1, "no", None, 1.5, [1]])
def test_another_value_is_refused(verbose):
    with pytest.raises(InvalidInputError) as caught, progress.verbosity(verbose):
        pass
    assert str(caught.value) == f"verbose is 'auto', 0, 1 or 2; received {verbose!r}"


@pytest.mark.parametrize(("verbose", "is_shown"), [(0, False), (1, True), (2, False)])
def test_a_long_work_has_a_bar(capsys, no_delay, verbose, is_shown):
    with progress.verbosity(verbose):
        assert list(progress.track("abc", "counting letters")) == ["a", "b", "c"]
    printed = capsys.readouterr().out
    assert ("counting letters" in printed, "3/3" in printed) == (is_shown, is_shown)


def test_a_short_one_has_none(capsys):
    with progress.verbosity(1):
        list(progress.track("abc", "counting letters"))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("verbose", "printed"), [(0, ""), (1, "a\nb\n"), (2, "a\nb\n")])
def test_what_is_said_is_printed_unless_verbose_is_0(capsys, verbose, printed):
    with progress.verbosity(verbose):
        progress.say("a", "b")
    assert capsys.readouterr().out == printed
