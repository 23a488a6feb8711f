"""Models: `list` and `info`."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_fm import registry
from keras_fm.cli import describe
from keras_fm.cli.common import add_command, add_model
from keras_fm.cli.printing import print_table
from keras_fm.errors import UnknownNameError, suggest
from keras_fm.formatting import format_table
from keras_fm.registry import ModelPackage

if TYPE_CHECKING:
    from keras_fm.registry.entry import Seeds


LIST_FIELDS = """fields of --json, a list with an object a model:
  name             the model's name
  task             Hugging Face's ID of its task
  dataset          what it was trained on
  pretrained       whether it has weights
  num_parameters   of the model; null without weights
  metrics          of the weights on the test split, by name; empty without"""


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    command = add_command(
        commands,
        _list,
        "list the models",
        "keras-fm list",
        'keras-fm list "cifar*" --pretrained',
        "keras-fm list --task text-classification --json",
        details=LIST_FIELDS,
        needs_keras=False,
    )
    command.add_argument("pattern", nargs="?", default="*", help="a wildcard, such as 'cifar*'")
    command.add_argument("--task", help="only models of this task")
    command.add_argument(
        "--pretrained", action="store_true", default=None, help="only models with weights"
    )

    command.add_argument("--json", action="store_true", help="the same as JSON")

    command = add_command(
        commands,
        _info,
        "show a model's entry, a run or an export",
        "keras-fm info cifar_cnn",
        "keras-fm info cifar_cnn.v1 --json",
        "keras-fm info runs/mine",
        needs_keras=False,
    )
    add_model(command, "MODEL, MODEL.TAG, a run directory or an export")
    command.add_argument("--json", action="store_true", help="all that is known, as JSON")


def _list(options: argparse.Namespace) -> int:
    names = registry.list_models(options.pattern, task=options.task, pretrained=options.pretrained)
    if options.json:
        print(json.dumps([*map(_to_dict, names)], indent=2))
    if not names:
        return _tell_no_match(options)
    if options.json:
        return 0
    rows: list[tuple[str, ...]] = [("model", "task", "data", "parameters", "on the test split")]
    packages = registry.packages()
    rows += [_row(packages[name]) for name in names]
    print(format_table(rows))  # at once: `rich` would take half as long again to import
    return 0


def _tell_no_match(options: argparse.Namespace) -> int:
    """Say that no model matches, and which are near; as `grep`, exit with 1."""
    known = registry.list_models(task=options.task, pretrained=options.pretrained)
    hint = suggest(options.pattern.strip("*?"), known)
    print(f"keras-fm: no model matches {options.pattern!r}. {hint}", file=sys.stderr)
    return 1


def _to_dict(name: str) -> dict[str, Any]:
    table = registry.packages()[name].entry_table
    record = table.get("weights", {}).get(table.get("default_weights"), {})
    return {
        "name": name,
        "task": table["task"],
        "dataset": table["dataset"],
        "pretrained": bool(record),
        "num_parameters": record.get("num_parameters"),
        "metrics": record.get("metrics", {}),
    }


def _info(options: argparse.Namespace) -> int:
    from keras_fm.models import export_files, run_files

    path = run_files.run_path(options.model)
    if path is not None:
        return _show_directory(path, describe.run_info, describe.describe_run, options.json)
    if options.model.partition(".")[0] in registry.packages():
        return _show_entry(options)
    path = export_files.export_path(options.model)
    if path is not None:
        return _show_directory(path, describe.export_info, describe.describe_export, options.json)
    if os.path.exists(options.model):
        raise UnknownNameError(
            f"{options.model} is no run directory (it has no {run_files.RUN_INFO}) and no export "
            "(it has no version with a SavedModel)"
        )
    return _show_entry(options)


def _show_directory(
    path: Path,
    read: Callable[[Path], dict[str, Any]],
    describe_it: Callable[[Path], str],
    as_json: bool,
) -> int:
    print(json.dumps(read(path), indent=2) if as_json else describe_it(path))
    return 0


def _show_entry(options: argparse.Namespace) -> int:
    from keras_fm.registry import entry as schema

    entry = registry.info(options.model)
    if options.json:
        print(json.dumps(schema.to_dict(entry), indent=2))
        return 0
    print(f"{entry.name}: {entry.title}\n{entry.summary}\n")
    rows = [("task", entry.task), ("data", entry.dataset)]
    rows += [(f"input {i.name}", f"{i.dtype} {i.shape}, {i.description}") for i in entry.inputs]
    if (output := entry.output) is not None:
        described = f"{output.dtype} {output.shape}, {output.description}"
        rows += [(f"output {output.name}", f"{described}; evaluated with {entry.evaluator}")]
    rows += [("labels", ", ".join(entry.labels)), ("references", ", ".join(entry.references))]
    for tag, record in entry.weights.items():
        environment = record.training_environment
        rows += [
            (f"weights {tag}", f"{record.num_parameters:,} parameters, {record.file_size:,} bytes"),
            *(("", _claim(name, value, record.seeds)) for name, value in record.metrics.items()),
            ("", f"{environment.minutes:.0f} minutes on {environment.hardware}"),
        ]
    rows += [(f"withdrawn {sha256[:12]}", reason) for sha256, reason in entry.withdrawn.items()]
    print_table(rows)
    return 0


def _row(package: ModelPackage) -> tuple[str, ...]:
    try:
        return _cells(package.entry_table)
    except (AttributeError, LookupError, StopIteration, TypeError, ValueError):
        registry.info(package.name)  # says what is wrong with the entry
        raise


def _cells(entry: dict[str, Any]) -> tuple[str, ...]:
    record = entry.get("weights", {}).get(entry.get("default_weights"), {})
    return (
        entry["name"],
        entry["task"],
        entry["dataset"],
        f"{record['num_parameters']:,}" if record else "",
        _headline(record["metrics"], entry.get("baselines", ())) if record else "no weights",
    )


def _headline(metrics: dict[str, float], baselines: Iterable[dict[str, Any]]) -> str:
    from keras_fm.registry.metrics import METRICS, headline_metric

    name = headline_metric([*metrics], {baseline["metric"] for baseline in baselines})
    return f"{METRICS[name].title} {METRICS[name].format(metrics[name])}"


def _claim(name: str, value: float, seeds: "Seeds") -> str:
    from keras_fm.registry.metrics import METRICS

    metric = METRICS[name]
    by_seed = ", ".join(
        f"{metric.format(seed_value)} (seed {seed})"
        for seed, seed_value in zip(seeds.seeds, seeds.metrics[name], strict=True)
    )
    return f"{metric.title} {metric.format(value)}; trained: {by_seed}"
