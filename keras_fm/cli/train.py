"""Training: `train` and `fine-tune`."""

import argparse
from collections.abc import Iterable
from typing import Any

from keras_fm.cli import next_commands
from keras_fm.cli.common import add_calibration, add_command, add_model, add_settings
from keras_fm.cli.parsing import check_settings

DATA = """data:
  images   a folder with a folder of image files for each class
  texts    a CSV, TSV, Parquet or JSON file with a text (--text) and its class (--target) in each
           row, or a folder with a folder of .txt files for each class, each file one text
  tables   a CSV, TSV, Parquet or JSON file with the column to predict (--target)
  any      the name of a TFDS data set, with tfds: in front where a file has the same name"""


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    command = add_command(
        commands,
        _train,
        "train a model by its recipe",
        "keras-fm train cifar_cnn --set epochs=2 --set batch_size=256",
        "keras-fm train mlp --data houses.csv --target price",
        "keras-fm train cifar_cnn --run-dir runs/mine --resume",
        check=_check_train,
        trains=True,
    )
    add_model(command, "a model's name")
    command.add_argument("--data", help="'sample' for the bundled examples, or your own data")
    command.add_argument(
        "--teacher", help="a model whose outputs are learned too (knowledge distillation)"
    )
    command.add_argument(
        "--init-from",
        help="initial weights: random, pretraining, a run directory or a model's name",
    )
    _add_options(command)

    command = add_command(
        commands,
        _fine_tune,
        "fine-tune a pretrained model on your own data",
        "keras-fm fine-tune cifar_cnn photos/",
        "keras-fm fine-tune lstm reviews.csv --text body --target stars",
        "keras-fm fine-tune cifar_cnn photos/ --strategy lora --set epochs=5",
        "keras-fm fine-tune cifar_cnn photos/ --calibrate --coverage 0.95",
        details=DATA,
        check=_check_fine_tune,
        trains=True,
    )
    add_model(command, "a model's name, a run directory or a .keras file")
    command.add_argument(
        "data", help="a folder with a folder for each class, a CSV file, or a TFDS data set's name"
    )
    command.add_argument("--text", help="the column of the texts in the CSV file")
    command.add_argument("--validation-data", help="data to validate on (default: a fifth of DATA)")
    command.add_argument(
        "--class-names", nargs="+", help="names of the classes, where the targets are indices"
    )
    command.add_argument(
        "--split", default="train", help="split of a TFDS data set (default: train)"
    )
    command.add_argument("--validation-data-split", help="split of a TFDS data set to validate on")
    command.add_argument(
        "--strategy",
        default="head_then_full",
        help="head_then_full (the default), head, full or lora",
    )
    command.add_argument(
        "--compare",
        action="store_true",
        help="also train from scratch, for comparison in the report",
    )
    command.add_argument(
        "--augment-with", metavar="MODEL", help="a generator whose images augment the training data"
    )
    _add_options(command)


def _add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of both commands."""
    add_settings(command, "override a field of the recipe")
    command.add_argument(
        "--recipe", metavar="FILE", help="a recipe file, or the name of one in the model's folder"
    )
    command.add_argument("--target", help="the column of the CSV file to predict")
    command.add_argument(
        "--problem-type", help="regression or classification (default: inferred from the column)"
    )
    command.add_argument("--run-dir", help="a new directory (default: under runs/)")
    command.add_argument("--resume", action="store_true", help="resume the run in --run-dir")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument(
        "--validation-split", type=float, help="fraction of the data to validate on, such as 0.2"
    )
    add_calibration(
        command,
        "fit a temperature, prediction sets and an in-distribution score of a classifier on what "
        "validates",
    )
    command.add_argument(
        "--histograms",
        action="store_true",
        help="also write histograms of weights, and sizes of activations, for TensorBoard",
    )
    command.add_argument(
        "--profile",
        action="store_true",
        help="also profile the steps 10 to 20 for TensorBoard's profiler plugin",
    )
    command.add_argument(
        "--devices", type=int, help="GPUs, or CPU cores, that share each batch (default: 1)"
    )
    command.add_argument(
        "--hosts",
        metavar="ADDRESS:PORT,PROCESSES,INDEX",
        help="processes that train together (JAX): where process 0 listens, how many there are, "
        "and which this one is; or auto",
    )
    command.add_argument(
        "--hosts-timeout",
        type=float,
        metavar="SECONDS",
        help="how long the processes wait for each other at the start (default: 300)",
    )
    command.add_argument(
        "--verbose",
        default="auto",
        help="0 prints nothing but the report, 1 draws a bar, 2 prints a line an epoch (default: "
        "auto: 1 on a terminal, else 2)",
    )


def _arguments(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the named options and those of both commands, as the Python function takes them."""
    from keras_fm.registry.recipe import parse_setting

    names = (*names, "target", "problem_type", "run_dir", "resume", "seed", "validation_split")
    names = (*names, "recipe", "calibrate", "coverage", "devices", "hosts", "hosts_timeout")
    names = (*names, "histograms", "profile")
    settings = dict(parse_setting(text) for text in options.set)
    check_settings(options.parser, settings)
    verbose = int(options.verbose) if options.verbose.isdecimal() else options.verbose
    return {**{name: getattr(options, name) for name in names}, "verbose": verbose, **settings}


def _train_arguments(options: argparse.Namespace) -> dict[str, Any]:
    teacher = {} if options.teacher is None else {"teacher": options.teacher}
    return {**_arguments(options, "data", "init_from"), **teacher}


def _check_train(options: argparse.Namespace) -> None:
    from keras_fm.training.train_arguments import check_train

    check_train(options.model, **_train_arguments(options))


def _train(options: argparse.Namespace) -> int:
    from keras_fm.training.training import train

    run = train(options.model, **_train_arguments(options))
    _print_report(run, next_commands.after_training(run.path))
    return 0


def _fine_tune_arguments(options: argparse.Namespace) -> dict[str, Any]:
    return _arguments(
        options,
        "data",
        "text",
        "class_names",
        "split",
        "validation_data",
        "validation_data_split",
        "strategy",
        "compare",
        "augment_with",
    )


def _check_fine_tune(options: argparse.Namespace) -> None:
    from keras_fm.training.fine_tuning_options import check_fine_tune

    check_fine_tune(options.model, **_fine_tune_arguments(options))


def _fine_tune(options: argparse.Namespace) -> int:
    from keras_fm.training.fine_tuning import fine_tune

    run = fine_tune(options.model, **_fine_tune_arguments(options))
    _print_report(run, next_commands.after_fine_tuning(run.path))
    return 0


def _print_report(run: Any, commands: Iterable[str]) -> None:
    """Print what was trained, and what to do with it, in one of the processes that trained it."""
    from keras_fm.distribution.running import is_first_process

    if is_first_process():
        print(f"\n{run.report()}\n")
        print(*commands, sep="\n")
