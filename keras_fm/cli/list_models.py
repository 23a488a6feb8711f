"""Finding a model: `list` and `info`."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from keras_fm import registry
from keras_fm.cli.common import add_command
from keras_fm.cli.printing import print_table
from keras_fm.registry import packages
from keras_fm.registry.metrics import METRICS

if TYPE_CHECKING:
    from keras_fm.registry.entry import Seeds


def add(verbs: Any) -> None:
    """Adds them to the parser."""
    verb = add_command(
        verbs, _list, "list the models", 'keras-fm list "cifar*" --pretrained', keras=False
    )
    verb.add_argument("pattern", nargs="?", default="*", help="a wildcard, such as 'cifar*'")
    verb.add_argument("--task", help="only models of this task")
    verb.add_argument("--pretrained", action="store_true", default=None, help="only with weights")

    verb = add_command(
        verbs, _info, "what is known of a model", "keras-fm info cifar_cnn --json", keras=False
    )
    verb.add_argument("model", help="MODEL or MODEL.TAG")
    verb.add_argument("--json", action="store_true", help="the whole entry as JSON")


def _list(options: argparse.Namespace) -> int:
    names = registry.list_models(options.pattern, task=options.task, pretrained=options.pretrained)
    rows: list[tuple[str, ...]] = [("model", "task", "data", "parameters", "on the test split")]
    rows += [_row(packages()[name]) for name in names]
    print_table(rows)
    return 0


def _info(options: argparse.Namespace) -> int:
    from keras_fm.registry import entry

    found = registry.info(options.model)
    if options.json:
        print(json.dumps(entry.to_dict(found), indent=2))
        return 0
    print(f"{found.name}: {found.title}\n{found.summary}\n")
    rows = [("task", found.task), ("data", found.dataset)]
    rows += [(f"input {i.name}", f"{i.dtype} {i.shape}, {i.meaning}") for i in found.inputs]
    if (o := found.output) is not None:
        rows += [(f"output {o.name}", f"{o.dtype} {o.shape}, {o.meaning}; judged by {found.judge}")]
    rows += [("labels", ", ".join(found.labels)), ("sources", ", ".join(found.sources))]
    for tag, record in found.weights.items():
        seeds = record.seeds
        rows += [
            (f"weights {tag}", f"{record.parameters:,} parameters, {record.bytes:,} bytes"),
            *(("", _claim(name, value, seeds)) for name, value in record.metrics.items()),
            ("", f"{record.maker.minutes:.0f} minutes on {record.maker.hardware}"),
        ]
    rows += [(f"withdrawn {sha256[:12]}", why) for sha256, why in found.withdrawn.items()]
    print_table(rows)
    return 0


def _row(room: registry.ModelPackage) -> tuple[str, ...]:
    try:
        return _cells(room.table)
    except (AttributeError, LookupError, StopIteration, TypeError, ValueError):
        registry.info(room.name)  # says what is wrong with the entry
        raise


def _cells(entry: dict[str, Any]) -> tuple[str, ...]:
    record = entry.get("weights", {}).get(entry.get("default_weights"), {})
    return (
        entry["name"],
        entry["task"],
        entry["dataset"],
        f"{record['parameters']:,}" if record else "",
        _headline(record["metrics"]) if record else "no weights",
    )


def _headline(metrics: dict[str, float]) -> str:
    name, value = next(iter(metrics.items()))
    return f"{METRICS[name].title} {METRICS[name].write(value)}"


def _claim(name: str, value: float, seeds: "Seeds") -> str:
    metric = METRICS[name]
    each = ", ".join(
        f"{metric.write(one)} (seed {seed})"
        for seed, one in zip(seeds.seeds, seeds.metrics[name], strict=True)
    )
    return f"{metric.title} {metric.write(value)}; trained: {each}"
