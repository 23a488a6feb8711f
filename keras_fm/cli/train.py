"""Training: `train` and `fine-tune`."""

import argparse
from typing import Any

from keras_fm.cli.common import add_command
from keras_fm.cli.printing import format_command


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    command = add_command(
        commands,
        _train,
        "train a model by its recipe",
        "keras-fm train cifar_cnn --set epochs=2 --set batch_size=256",
    )
    command.add_argument("model", help="a model's name")
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
        "keras-fm fine-tune cifar_cnn photos/; "
        "keras-fm fine-tune lstm reviews.csv --text body --target stars",
    )
    command.add_argument("model", help="a model's name, a run directory or a .keras file")
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
    command.add_argument("--validation-split", type=float, help="fraction of DATA to validate on")
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
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="override a field of the recipe; may be repeated",
    )
    command.add_argument("--target", help="the column of the CSV file to predict")
    command.add_argument(
        "--problem-type", help="regression or classification (default: inferred from the column)"
    )
    command.add_argument("--run-dir", help="a new directory (default: under runs/)")
    command.add_argument("--resume", action="store_true", help="resume the run in --run-dir")
    command.add_argument("--seed", type=int, default=0)


def _train(options: argparse.Namespace) -> int:
    from keras_fm.registry.recipe import parse_setting
    from keras_fm.training.training import train

    run = train(
        options.model,
        data=options.data,
        target=options.target,
        problem_type=options.problem_type,
        init_from=options.init_from,
        run_dir=options.run_dir,
        resume=options.resume,
        seed=options.seed,
        **({} if options.teacher is None else {"teacher": options.teacher}),
        **dict(parse_setting(text) for text in options.set),
    )
    print(f"\n{run.report()}\n")
    print(format_command("tensorboard", "--logdir", run.path / "logs"))
    print(format_command("keras-fm", "evaluate", run.path))
    print(format_command("keras-fm", "export", run.path, f"exports/{run.model.name}"))
    return 0


def _fine_tune(options: argparse.Namespace) -> int:
    from keras_fm.registry.recipe import parse_setting
    from keras_fm.training.fine_tuning import fine_tune

    run = fine_tune(
        options.model,
        options.data,
        text=options.text,
        target=options.target,
        problem_type=options.problem_type,
        class_names=options.class_names,
        split=options.split,
        validation_data=options.validation_data,
        validation_data_split=options.validation_data_split,
        validation_split=options.validation_split,
        strategy=options.strategy,
        compare=options.compare,
        augment_with=options.augment_with,
        run_dir=options.run_dir,
        resume=options.resume,
        seed=options.seed,
        **dict(parse_setting(text) for text in options.set),
    )
    print(f"\n{run.report()}\n")
    print(format_command("tensorboard", "--logdir", run.path))
    print(format_command("keras-fm", "predict", run.path), "...")
    if run.metrics:
        print(format_command("keras-fm", "verify", run.path))
    print(format_command("keras-fm", "export", run.path, f"exports/{run.model.name}"))
    return 0
