"""Searches for the values of recipe fields: `tune`."""

import argparse
import json
from typing import Any

from keras_fm.cli.common import add_command, add_model, add_settings
from keras_fm.cli.parsing import check_settings
from keras_fm.cli.printing import print_table

DETAILS = """space.toml has a range, or choices, for each field that is searched:
  learning_rate = {low = 1e-4, high = 1e-2, log = true}
  weight_decay = {low = 0.1, high = 10.0, log = true, relative = true}  # of the recipe's value
  epochs = {low = 5, high = 20, step = 5}
  batch_size = {choices = [64, 128]}
  head.learning_rate = {low = 0.003, high = 0.1, log = true}  # the first stage of a fine-tuning

Ctrl-C stops a search, and the same command resumes it. The same command in several processes,
also on machines that share the directory, searches together until there are --trials in all.

fields of --json:
  path, model      of the search
  metric           by what trials are compared; greater_is_better says which is better
  num_trials       as --trials says
  best             the number of the best trial
  recipe           the file with its recipe; command, the one that trains with it
  trials           the complete ones from the best on, then the others: number, state (complete,
                   pruned, failed, cut short or running), value, values (of the fields), minutes,
                   path and problem"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        _tune,
        "search for the recipe that is best on the validation examples (Optuna)",
        "keras-fm tune linear_regression --data sample --trials 10 --set epochs=2",
        "keras-fm tune mlp --data houses.csv --target price --space space.toml --trials 50",
        "keras-fm tune cifar_cnn --data photos/ --strategy head_then_full --trials 20",
        details=DETAILS,
        check=_check,
        trains=True,
    )
    add_model(command, "a model's name; with --strategy also a run directory or a .keras file")
    command.add_argument("--data", help="'sample' for the bundled examples, or your own data")
    command.add_argument(
        "--space", metavar="TOML", help="the values to try (default: those of the model's task)"
    )
    command.add_argument(
        "--trials", type=int, default=20, help="how many there are in the end (default: 20)"
    )
    command.add_argument("--directory", help="of the search (default: tuning/MODEL)")
    command.add_argument("--metric", help="by what trials are compared (default: the headline one)")
    command.add_argument(
        "--no-pruning",
        dest="pruning",
        action="store_false",
        help="run trials to their end whose validation loss is worse than the median",
    )
    command.add_argument(
        "--strategy", help="fine-tune by it: head_then_full, head, full or lora (default: train)"
    )
    command.add_argument("--text", help="the column of the texts in the CSV file, with --strategy")
    command.add_argument("--target", help="the column of the CSV file to predict")
    command.add_argument(
        "--problem-type", help="regression or classification (default: inferred from the column)"
    )
    command.add_argument(
        "--init-from",
        help="initial weights: random, pretraining, a run directory or a model's name",
    )
    command.add_argument(
        "--validation-split", type=float, help="fraction of the data to validate on, such as 0.2"
    )
    add_settings(command, "a field of the recipe that all trials have")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument(
        "--verbose",
        default="auto",
        help="0 prints nothing but the report, 1 draws the bars of the trainings, 2 prints a line "
        "an epoch (default: auto: 1 on a terminal, else a line a trial)",
    )
    command.add_argument("--json", action="store_true", help="the report as JSON, and nothing else")


def _arguments(options: argparse.Namespace) -> dict[str, Any]:
    from keras_fm.registry.recipe import parse_setting

    names = (
        *("data", "space", "trials", "directory", "metric", "pruning", "strategy", "text"),
        *("target", "problem_type", "init_from", "validation_split", "seed"),
    )
    settings = dict(parse_setting(text) for text in options.set)
    check_settings(options.parser, settings)
    verbose: Any = int(options.verbose) if options.verbose.isdecimal() else options.verbose
    if options.json:
        verbose = 0
    return {**{name: getattr(options, name) for name in names}, "verbose": verbose, **settings}


def _check(options: argparse.Namespace) -> None:
    from keras_fm.tuning.arguments import check_tune

    check_tune(options.model, **_arguments(options))


def _tune(options: argparse.Namespace) -> int:
    from keras_fm.tuning.search import tune

    report = tune(options.model, **_arguments(options))
    if options.json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        print(f"\n{report.summary()}")
        if report.best is not None:
            print_table(report.rows())
        print("", *report.notes(), *report.next_steps(), sep="\n")
    return 0 if report.best is not None else 1
