"""`keras-fm`: the commands of the Python interface, with the same names.

Nothing but the standard library and the registry is imported before the command is known:
`keras-fm list` must start fast.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module

from keras_fm import __version__
from keras_fm.cli import completion
from keras_fm.cli.parsing import parse
from keras_fm.cli.streams import prepare_streams
from keras_fm.errors import DataWarning, DistributedError, KerasFmError
from keras_fm.startup import import_keras

# The module of each command.
COMMANDS = {
    "list": "list_models",
    "info": "list_models",
    "predict": "predict",
    "explain": "predict",
    "train": "train",
    "fine-tune": "train",
    "tune": "tune",
    "evaluate": "evaluate",
    "compare": "compare",
    "verify": "evaluate",
    "export": "export",
    "serve-check": "export",
    "drift": "drift",
    "cache": "cache",
    "demo": "demo",
    "runs": "runs",
    "tensorboard": "tensorboard",
    "completion": "completion",
}

# What a training on JAX does without, by the names of the modules.
TENSORFLOW_PACKAGES = {
    "tensorboard": "tensorboard",
    "tensorflow": "tensorflow",
    "tensorflow_datasets": "tensorflow-datasets",
    "tensorflow_serving": "tensorflow-serving-api",
}

EXAMPLES = """examples:
  keras-fm list "cifar*"
  keras-fm predict cifar_cnn photo.jpg
  keras-fm predict char_lstm "ROMEO:" --length 300 --temperature 0.8 --seed 0
  keras-fm train cifar_cnn_basic --set epochs=2 --run-dir runs/mine
  keras-fm tune mlp --data houses.csv --target price --trials 30
  keras-fm evaluate runs/mine --slice-by label
  keras-fm compare exports/live runs/mine
  keras-fm explain cifar_cnn photo.jpg --out why.png
  keras-fm verify cifar_cnn
  keras-fm export cifar_cnn exports/cifar_cnn
  keras-fm drift exports/cifar_cnn requests.tfrecord
  keras-fm cache list
  keras-fm runs
  keras-fm tensorboard runs/mine
"""


def main(arguments: Sequence[str] | None = None, *, prog: str = "keras-fm") -> int:
    """Run one command.

    Args:
        arguments: Without the program's name; None for those of the process.
        prog: How the user calls the program, for the usage.

    Returns:
        The exit code: 0, 1 for a claim that was not confirmed, for nothing that matches and for
        processes that can't train together, 2 for bad input, 130 when stopped.
    """
    prepare_streams()
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser(arguments, prog)
    completion.complete(parser)
    options = parse(parser, arguments, [*COMMANDS])
    try:
        if options.check is not None:
            options.check(options)
        needs_keras = options.needs_keras
        if needs_keras(options) if callable(needs_keras) else needs_keras:
            _import_keras(trains=options.trains)
        with _one_line_warnings():
            return options.run(options)
    except KerasFmError as error:
        print(f"keras-fm: {error}", file=sys.stderr)
        return 1 if isinstance(error, DistributedError) else 2
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package not in TENSORFLOW_PACKAGES:
            raise
        name = TENSORFLOW_PACKAGES[package]
        print(
            f"keras-fm: this needs {name}, which is not installed: pip install {name}",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a disk that is full, a folder that is a file
        where = f"{error.filename}: " if error.filename else ""
        print(f"keras-fm: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"\nkeras-fm: {interrupt or 'stopped'}", file=sys.stderr)
        return 130


def _parser(arguments: Sequence[str], prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Pretrained Keras models: predict, train, fine-tune, evaluate, serve.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"keras-fm {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    # The parser of a command that is named first alone; else all, for the help or an error.
    named = [COMMANDS[word] for word in arguments[:1] if word in COMMANDS]
    for module in named or dict.fromkeys(COMMANDS.values()):
        import_module(f"keras_fm.cli.{module}").add(commands)
    return parser


@contextlib.contextmanager
def _one_line_warnings() -> Iterator[None]:
    """Show warnings on a user's data without the line of code that they come from."""
    import warnings

    with warnings.catch_warnings():
        default = warnings.showwarning
        warnings.simplefilter("always", DataWarning)
        warnings.showwarning = lambda message, category, *where, **more: (
            print(f"keras-fm: {message}", file=sys.stderr)
            if issubclass(category, DataWarning)
            else default(message, category, *where, **more)
        )
        yield


def _import_keras(*, trains: bool) -> None:
    """Import Keras, without TensorFlow's remarks on the machine.

    Args:
        trains: Whether for a training.

    Raises:
        KerasFmError: The backend that `KERAS_BACKEND` or `keras.json` names can't be imported.
    """
    import logging

    logging.getLogger("absl").setLevel(logging.ERROR)  # TFDS warns of each folder that is not there
    try:
        import_keras(trains=trains)
    except (ImportError, ValueError) as error:
        raise KerasFmError(
            f"Keras can't be imported with its backend: {error}. Install it, or choose another: "
            "KERAS_BACKEND=tensorflow or jax"
        ) from error
