"""Training: `train` and `fine-tune`."""

import argparse
from typing import Any

from keras_fm.cli.common import add_command


def add(verbs: Any) -> None:
    """Adds them to the parser."""
    verb = add_command(
        verbs,
        _train,
        "train a model by its recipe",
        "keras-fm train cifar_cnn --set epochs=2 --set batch_size=256",
    )
    verb.add_argument("model", help="a model's name")
    verb.add_argument("--data", help="'sample' (the bundled one: a try), or your own")
    verb.add_argument("--start", help="random, pretraining, or a run or model to go on from")
    _add_options(verb)

    verb = add_command(
        verbs,
        _fine_tune,
        "train a pretrained model on, for your own data",
        "keras-fm fine-tune cifar_cnn photos/; "
        "keras-fm fine-tune lstm reviews.csv --text body --target stars",
    )
    verb.add_argument("model", help="a model's name, a run directory or a .keras file")
    verb.add_argument(
        "data", help="a folder with a folder for each class, a CSV file, or a TFDS data set's name"
    )
    verb.add_argument("--text", help="the column of the texts in the CSV file")
    verb.add_argument("--validation", help="other data to measure on (default: a fifth of DATA)")
    verb.add_argument(
        "--labels", nargs="+", help="the classes' names, where the targets are their numbers"
    )
    verb.add_argument("--split", default="train", help="of a TFDS data set (default: train)")
    verb.add_argument("--validation-split", help="of a TFDS data set that validates")
    verb.add_argument(
        "--strategy", default="gradual", help="gradual (the default), head, full or lora"
    )
    verb.add_argument(
        "--compare", action="store_true", help="also train it from random weights, for the report"
    )
    verb.add_argument("--augment-with", metavar="MODEL", help="a generator that draws more images")
    _add_options(verb)


def _add_options(verb: argparse.ArgumentParser) -> None:
    """What both verbs take."""
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a field of the recipe; may be repeated",
    )
    verb.add_argument("--target", help="the column of the CSV file to answer")
    verb.add_argument("--kind", help="regression or classification (default: as the column looks)")
    verb.add_argument("--run-dir", help="a new directory (default: under runs/)")
    verb.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    verb.add_argument("--seed", type=int, default=0)


def _train(options: argparse.Namespace) -> int:
    from keras_fm.registry.recipe import parse_setting
    from keras_fm.training.training import train

    run = train(
        options.model,
        data=options.data,
        target=options.target,
        kind=options.kind,
        start=options.start,
        run_dir=options.run_dir,
        resume=options.resume,
        seed=options.seed,
        **dict(parse_setting(text) for text in options.set),
    )
    print(f"\n{run.report()}\n\ntensorboard --logdir {run.path}/logs")
    print(f"keras-fm evaluate {run.path}\nkeras-fm export {run.path} exports/{run.model.name}")
    return 0


def _fine_tune(options: argparse.Namespace) -> int:
    from keras_fm.registry.recipe import parse_setting
    from keras_fm.training.fine_tuning import fine_tune

    run = fine_tune(
        options.model,
        options.data,
        text=options.text,
        target=options.target,
        kind=options.kind,
        labels=options.labels,
        split=options.split,
        validation=options.validation,
        validation_split=options.validation_split,
        strategy=options.strategy,
        compare=options.compare,
        augment_with=options.augment_with,
        run_dir=options.run_dir,
        resume=options.resume,
        seed=options.seed,
        **dict(parse_setting(text) for text in options.set),
    )
    print(f"\n{run.report()}\n\ntensorboard --logdir {run.path}\nkeras-fm predict {run.path} ...")
    if run.metrics:
        print(f"keras-fm verify {run.path}")
    print(f"keras-fm export {run.path} exports/{run.model.name}")
    return 0
