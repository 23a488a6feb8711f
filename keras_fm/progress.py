"""What a long work shows: `verbose` as Keras has it, and bars for what takes more than a moment."""

import functools
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

import keras

from keras_fm.formatting import format_count, format_duration
from keras_fm.options import check_verbose

P = ParamSpec("P")
R = TypeVar("R")
Item = TypeVar("Item")

AUTO = "auto"
# Seconds that a work may take without a bar: most of what is predicted takes less.
DELAY = 2.0
NOTE_DELAY = 10.0  # seconds of a training by which the rest of it is estimated

_verbose: ContextVar[Any] = ContextVar("verbose", default=AUTO)


def current_verbose() -> int:
    """Return Keras' `verbose` for this block.

    Of `"auto"` it is 1, a bar, on a terminal and in a notebook; 2, a line an epoch, in a log file,
    and where `keras.config.disable_interactive_logging()` was called.
    """
    verbose = _verbose.get()
    if verbose != AUTO:
        return int(verbose)
    if sys.stdout is None:  # a service, or pythonw
        return 0
    shows_bars = sys.stdout.isatty() or _is_notebook(sys.stdout)
    return 1 if shows_bars and keras.config.is_interactive_logging_enabled() else 2


@contextmanager
def verbosity(verbose: Any) -> Iterator[None]:
    """Run a block by a `verbose`; `"auto"` leaves that of a block around it as it is.

    Raises:
        InvalidInputError: It is none.
    """
    verbose = check_verbose(verbose)
    token = _verbose.set(_verbose.get() if verbose == AUTO else verbose)
    try:
        yield
    finally:
        _verbose.reset(token)


def with_verbose(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that has the keyword `verbose`: its body runs by that."""

    @functools.wraps(function)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> R:
        with verbosity(options.get("verbose", AUTO)):
            return function(*arguments, **options)

    return wrapped


def say(*lines: str) -> None:
    """Print lines on stdout, unless `verbose` is 0."""
    if current_verbose():
        print(*lines, sep="\n", flush=True)


class DelayedBar(keras.callbacks.Callback):
    """Keras' progress bar, with the time that is left, for what takes longer than `DELAY`.

    A callback of `predict` and `evaluate`; other work calls `update` itself. There is no bar in a
    log file, and none where `verbose` is 0.

    Args:
        title: What is done; a line above the bar.
        total: Steps, where `update` is called; a callback knows them from Keras.
    """

    def __init__(self, title: str, total: int | None = None) -> None:
        super().__init__()
        self.title = title
        self.started = 0.0
        self.total: int | None = None
        self.is_shown = False
        self.bar: keras.utils.Progbar
        self._begin(total)

    def update(self, done: int) -> None:
        """Draw the bar, where it is time, after so many steps."""
        if self.total == 1 or current_verbose() != 1 or time.monotonic() - self.started < DELAY:
            return
        if not self.is_shown:
            say(self.title)
            self.is_shown = True
        self.bar.update(done)

    def on_predict_begin(self, logs: Any = None) -> None:
        """Start the clock."""
        self._begin(self.params.get("steps"))

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """Draw the bar."""
        self.update(batch + 1)

    def on_test_begin(self, logs: Any = None) -> None:
        """Start the clock."""
        self._begin(self.params.get("steps"))

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Draw the bar."""
        self.update(batch + 1)

    def _begin(self, total: int | None) -> None:
        self.started = time.monotonic()
        self.total = total
        self.is_shown = False
        self.bar = keras.utils.Progbar(total)


class DurationNote(keras.callbacks.Callback):
    """Says in a log file, which has no bar, how long a training takes, by its first steps.

    Args:
        title: What is trained.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = title
        self.started: float | None = None
        self.is_said = False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Say it once, after `NOTE_DELAY` seconds or more; the first step compiles."""
        if self.started is None:
            self.started = time.monotonic()
            return
        seconds = time.monotonic() - self.started
        if self.is_said or current_verbose() != 2 or seconds < NOTE_DELAY:
            return
        self.is_said = True
        steps = self.params["steps"] * self.params["epochs"]
        duration = format_duration(seconds / batch * steps)
        say(f"{self.title}: about {duration}, by its first {format_count(batch, 'step')}")


def track(items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
    """Yield items, under a bar where they take longer than a moment.

    Args:
        items: The items.
        title: What is done with them.
        total: How many there are, where they have no length.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    bar = DelayedBar(title, total)
    for number, item in enumerate(items, 1):
        yield item
        bar.update(number)


def _is_notebook(stream: Any) -> bool:
    """Return whether the stream shows in a cell: of Jupyter, Colab, VS Code or Spyder."""
    return type(stream).__module__.partition(".")[0] == "ipykernel"
