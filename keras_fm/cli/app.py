"""The command line: the verbs of the Python interface, with the same names.

Nothing but the standard library and the registry is imported before the verb is known:
`keras-fm list` must start fast.
"""

import argparse
import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence

from keras_fm import __version__
from keras_fm.cli import cache, demo, evaluate, export, list_models, predict, train
from keras_fm.errors import DataWarning, KerasFmError

GROUPS = (list_models, predict, train, evaluate, export, cache, demo)

EXAMPLES = """examples:
  keras-fm list "cifar*"
  keras-fm predict cifar_cnn photo.jpg
  keras-fm predict char_lstm "ROMEO:" --length 300 --temperature 0.8 --seed 0
  keras-fm train cifar_cnn_basic --set epochs=2 --run-dir runs/mine
  keras-fm evaluate runs/mine --slices label
  keras-fm explain cifar_cnn photo.jpg --out why.png
  keras-fm verify cifar_cnn
  keras-fm export cifar_cnn exports/cifar_cnn
  keras-fm cache list
  tensorboard --logdir runs
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code is 0, 1 for a claim that does not hold, 2 for bad input."""
    options = _parser().parse_args(arguments)
    try:
        if options.keras(options) if callable(options.keras) else options.keras:
            _import_keras()
        with _warnings_in_a_line():
            return options.run(options)
    except KerasFmError as error:
        print(f"keras-fm: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a disk that is full, a folder that is a file
        print(f"keras-fm: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"\nkeras-fm: {interrupt or 'stopped'}", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="keras-fm",
        description="Ready-made Keras models: use, re-measure, train, serve them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"keras-fm {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for group in GROUPS:
        group.add(verbs)
    return parser


@contextlib.contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Shows what is odd in a user's data without the place in the code that found it."""
    with warnings.catch_warnings():
        usual = warnings.showwarning
        warnings.simplefilter("always", DataWarning)
        warnings.showwarning = lambda message, category, *where, **more: (
            print(f"keras-fm: {message}", file=sys.stderr)
            if issubclass(category, DataWarning)
            else usual(message, category, *where, **more)
        )
        yield


def _import_keras() -> None:
    """Imports TensorFlow and Keras without what TensorFlow remarks on the machine meanwhile.

    Its first lines come before it reads its own log level; they are shown where the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its errors also come as exceptions
    logging.getLogger("absl").setLevel(logging.ERROR)  # TFDS warns of each folder that is not there
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as remarks:
        os.dup2(remarks.fileno(), 2)
        try:
            import keras  # noqa: F401  (imports its backend)
            import tensorflow  # noqa: F401  (data and images need it with any backend)
        except BaseException:
            remarks.seek(0)
            os.write(stderr, remarks.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


if __name__ == "__main__":
    sys.exit(main())
