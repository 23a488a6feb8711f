"""`Ctrl-C` in the loops of Keras, which can lose it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def interruptible() -> Iterator[keras.callbacks.Callback]:
    """Yield a callback for the `fit`, `evaluate` or `predict` in the block, which `Ctrl-C` ends.

    Keras waits for a step where it converts the step's logs to numbers, and catches all exceptions
    there, `KeyboardInterrupt` too (`pythonify_logs`, Keras 3.15). On JAX nearly all the time of a
    training is spent in that wait. The callback raises the interrupt again, at the end of the same
    step.

    There is nothing to do outside the main thread, which has the signals, and where the caller has
    a handler of SIGINT, or ignores it.

    Raises:
        KeyboardInterrupt: The user stopped it.
    """
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, _Interrupt):  # in a block of its own, as a validation in a training
        yield handler
        return
    interrupt = _Interrupt()
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or handler is not signal.default_int_handler:
        yield interrupt
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupt
        interrupt.raise_again()
    finally:
        signal.signal(signal.SIGINT, handler)


class _Interrupt(keras.callbacks.Callback):
    """A handler of SIGINT that remembers it, and the callback that raises it again."""

    async_safe = True  # Keras may call its methods in another thread, and raises what they raise

    def __init__(self) -> None:
        super().__init__()
        self.is_received = False

    def __call__(self, signal_number: int, frame: Any) -> None:
        """Handle the signal as Python does."""
        self.is_received = True
        raise KeyboardInterrupt

    def raise_again(self) -> None:
        """Raise the interrupt where it was received."""
        if self.is_received:
            raise KeyboardInterrupt

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Raise it after a step of `fit`."""
        self.raise_again()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Raise it after a step of `evaluate`."""
        self.raise_again()

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """Raise it after a step of `predict`."""
        self.raise_again()
