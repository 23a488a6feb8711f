"""Models: `list` and `info`."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from keras_fm import registry
from keras_fm.cli.common import add_command
from keras_fm.cli.printing import print_table
from keras_fm.formatting import format_table
from keras_fm.registry import ModelPackage

if TYPE_CHECKING:
    from keras_fm.registry.entry import Seeds


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    command = add_command(
        commands, _list, "list the models", 'keras-fm list "cifar*" --pretrained', needs_keras=False
    )
    command.add_argument("pattern", nargs="?", default="*", help="a wildcard, such as 'cifar*'")
    command.add_argument("--task", help="only models of this task")
    command.add_argument(
        "--pretrained", action="store_true", default=None, help="only models with weights"
    )

    command = add_command(
        commands, _info, "show a model's entry", "keras-fm info cifar_cnn --json", needs_keras=False
    )
    command.add_argument("model", help="MODEL or MODEL.TAG")
    command.add_argument("--json", action="store_true", help="the complete entry as JSON")


def _list(options: argparse.Namespace) -> int:
    names = registry.list_models(options.pattern, task=options.task, pretrained=options.pretrained)
    rows: list[tuple[str, ...]] = [("model", "task", "data", "parameters", "on the test split")]
    packages = registry.packages()
    rows += [_row(packages[name]) for name in names]
    print(format_table(rows))  # at once: `rich` would take half as long again to import
    return 0


def _info(options: argparse.Namespace) -> int:
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
        _headline(record["metrics"]) if record else "no weights",
    )


def _headline(metrics: dict[str, float]) -> str:
    from keras_fm.registry.metrics import METRICS

    name, value = next(iter(metrics.items()))
    return f"{METRICS[name].title} {METRICS[name].format(value)}"


def _claim(name: str, value: float, seeds: "Seeds") -> str:
    from keras_fm.registry.metrics import METRICS

    metric = METRICS[name]
    by_seed = ", ".join(
        f"{metric.format(seed_value)} (seed {seed})"
        for seed, seed_value in zip(seeds.seeds, seeds.metrics[name], strict=True)
    )
    return f"{metric.title} {metric.format(value)}; trained: {by_seed}"
