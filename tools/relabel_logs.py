"""Relabels the TensorBoard logs that ship with weights, as today's trainings write them.

    python tools/relabel_logs.py

Values, steps and times stay; tags get the groups of `keras_fm.training.event_files`, and names that
changed since. What was twice in them goes (`evaluation_..._vs_iterations`, the epochs' by steps).
A trial of HParams has the fields of the released recipe that are no defaults, where the recipe
in the logs has the same value. Where a result is in the logs it is the trial's, else the metrics of
the last epoch are. Logs that are relabeled stay.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.hparams import api, api_pb2, plugin_data_pb2, summary

from keras_fm import registry
from keras_fm.models.spec import ModelSpec
from keras_fm.training.event_files import (
    INPUTS,
    LOSS,
    METRICS,
    OPTIMIZER,
    PICTURES,
    RESULT,
    SPEED,
    VALIDATION,
)

ZOO = Path(__file__).parents[1] / "zoo"
START = "_hparams_/session_start_info"
TAGS = {
    "recipe": "3_recipe",
    "written": "5_generated",
    "generated": f"{PICTURES}/generated",
    "answers": f"{PICTURES}/predictions",
    "confusion_matrix": f"{PICTURES}/confusion_matrix",
    "augmented_inputs": f"{INPUTS}/augmented_inputs",
    "epoch_learning_rate": f"{OPTIMIZER}/learning_rate",
}
METRIC_NAMES = {
    "accuracy_mirror": "accuracy_tta",
    "accuracy_on_real": "classification_accuracy_score",
    "judge_accuracy": "evaluator_accuracy",
    "feature_distance": "frechet_distance",
    "feature_distance_floor": "frechet_distance_real",
    "diversity": "min_class_variance_ratio",
}

VALUES = {"triangle": "linear"}  # of a recipe's fields, as they are called now


def main() -> None:
    for logs in sorted(ZOO.glob("*/weights/*.logs")):
        changed = relabel(logs)
        print(f"{logs.relative_to(ZOO)}: {'relabeled' if changed else 'nothing to do'}")


def new_tag(tag: str) -> str | None:
    """Return the tag of today; None for what goes."""
    if tag.startswith("evaluation_") and tag.endswith("_vs_iterations"):
        return None
    if tag in TAGS:
        return TAGS[tag]
    if tag.startswith("epoch_"):
        name = tag.removeprefix("epoch_")
        return f"{LOSS if name.endswith('loss') else METRICS}/{name}"
    if tag.startswith("result/"):
        name = tag.removeprefix("result/")
        return f"{RESULT}/{METRIC_NAMES.get(name, name)}"
    is_speed = tag.endswith("_per_second") and "/" not in tag
    return f"{SPEED}/{tag}" if is_speed else tag


def relabel(logs: Path) -> bool:
    """Rewrite the event files of a folder of logs; return whether there was anything to do."""
    files = sorted(logs.rglob("events.out.tfevents.*"))
    events = {file: [*_read(file)] for file in files}
    values = [value for file in files for event in events[file] for value in event.summary.value]
    if any(value.tag == "_hparams_/experiment" for value in values):
        return False
    for file_events in events.values():
        for event in file_events:
            kept = [value for value in event.summary.value if new_tag(value.tag) is not None]
            for value in kept:
                value.tag = new_tag(value.tag)
            if len(kept) < len(event.summary.value):
                shown = event_pb2.Event(wall_time=event.wall_time, step=event.step)
                shown.summary.value.extend(kept)
                event.CopyFrom(shown)
    for file in files:
        file.unlink()
        folder = VALIDATION if file.parent == logs else file.parent.name
        shown_events = [event for event in events[file] if _has_content(event)]
        if not any(event.summary.value for event in shown_events):
            continue
        (logs / folder).mkdir(exist_ok=True)
        if any(value.tag == START for event in shown_events for value in event.summary.value):
            shown_events = [event for event in shown_events if not _is_trial(event)]
        _write(logs / folder / file.name, shown_events)
    _write_trial(logs, values)
    return True


def _write_trial(logs: Path, values: list[Any]) -> None:
    """Write the trial beside the results, of the last training where there are several."""
    name = logs.name.removesuffix(".logs")
    hparams = {"model": logs.parents[1].name, **_recipe_fields(name, values)}
    for value in values:
        if value.tag == START:
            content = value.metadata.plugin_data.content
            info = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
            hparams["seed"] = info.hparams["seed"].number_value
    results = [*dict.fromkeys(v.tag for v in values if v.tag.startswith(f"{RESULT}/"))]
    ending = "" if results else ", last epoch"
    results = results or [*dict.fromkeys(v.tag for v in values if v.tag.startswith(f"{METRICS}/"))]
    columns = [
        api_pb2.HParamInfo(
            name=name,
            differs=name in ("learning_rate", "epochs", "batch_size"),
            type=api_pb2.DATA_TYPE_STRING if isinstance(value, str) else api_pb2.DATA_TYPE_FLOAT64,
        )
        for name, value in hparams.items()
    ]
    metrics = [
        api_pb2.MetricInfo(
            name=api_pb2.MetricName(tag=tag), display_name=tag.partition("/")[2] + ending
        )
        for tag in results
    ]
    files = sorted((logs / VALIDATION).glob("events.*"))
    last = [*_read(files[-1])][-1].wall_time
    summaries = [
        summary.experiment_pb(columns, metrics, time_created_secs=last),
        api.hparams_pb(hparams, name, start_time_secs=last),
        summary.session_end_pb(api_pb2.STATUS_SUCCESS, end_time_secs=last),
    ]
    events = [*_read(files[-1])]
    for pb in summaries:
        events.append(event_pb2.Event(wall_time=last))
        events[-1].summary.MergeFromString(pb.SerializeToString())
    _write(files[-1], events)


def _recipe_fields(name: str, values: list[Any]) -> dict[str, Any]:
    """Return the fields of the released recipe that are no defaults, by today's names.

    Those of which the recipe in the logs has another value are printed and left out.
    """
    package, tag = registry.find(name)
    is_pretraining = package.entry.weights[tag].recipe == registry.PRETRAINING
    spec = ModelSpec.of_pretraining(package) if is_pretraining else ModelSpec.of(package)
    recipe = spec.task.default_recipe()
    [*_, logged] = [value for value in values if value.tag == "3_recipe"]
    text = logged.tensor.string_val[0].decode().removeprefix("```toml\n").removesuffix("```")
    logged_fields, fields = tomllib.loads(text), recipe.to_dict()
    for field in sorted(logged_fields.keys() & fields.keys()):
        value = logged_fields[field]
        if VALUES.get(value if isinstance(value, str) else None, value) != fields[field]:
            print(f"{name}: {field} is {value!r} in the logs, {fields.pop(field)!r} in the recipe")
    defaults = {field: recipe.default_of(field) for field in fields}
    changed = {n: value for n, value in fields.items() if value not in (defaults[n], [])}
    return {n: str(v) if isinstance(v, list) else v for n, v in changed.items()}


def _has_content(event: Any) -> bool:
    return bool(event.file_version or event.summary.value)


def _is_trial(event: Any) -> bool:
    return any(value.tag == START for value in event.summary.value)


def _read(file: Path) -> Iterator[Any]:
    for record in tf.data.TFRecordDataset(str(file)):
        yield event_pb2.Event.FromString(record.numpy())


def _write(file: Path, events: list[Any]) -> None:
    with tf.io.TFRecordWriter(str(file)) as writer:
        for event in events:
            writer.write(event.SerializeToString())


if __name__ == "__main__":
    main()
