"""What a run is, in words, for TensorBoard's Text: model, data, recipe, environment."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from keras_fm.models.precision import resolve_precision
from keras_fm.training import runs
from keras_fm.training.jobs import TrainingJob
from keras_fm.training.model_graph import model_graph

MAX_CLASSES = 100  # whose examples are counted in the table


def run_texts(model: keras.Model, job: TrainingJob) -> dict[str, str]:
    """Return texts in Markdown by name, numbered in the order in which TensorBoard sorts them."""
    environment = runs.environment(resolve_precision(job.recipe.precision))
    return {
        "1_model": _model_text(model, job),
        "2_data": _data_text(job),
        "3_recipe": _recipe_text(job),
        "4_environment": _table(("", ""), environment.items()),
    }


def changed_fields(job: TrainingJob) -> list[str]:
    """Return the fields of the recipe that differ from the model's own, in the schema's order."""
    own_recipe = job.task.default_recipe().to_dict()
    return [name for name, value in job.recipe.to_dict().items() if value != own_recipe.get(name)]


def is_default(job: TrainingJob, name: str) -> bool:
    """Return whether a field of the recipe has the schema's default."""
    value = getattr(job.recipe, name)
    return value == [] or value == job.recipe.default_of(name)


def _model_text(model: keras.Model, job: TrainingJob) -> str:
    num_trained = sum(int(keras.ops.size(weight)) for weight in model.trainable_weights)
    head = f"**{job.spec.name}** ({job.spec.task_name}): {model.count_params():,} parameters, "
    layers = [
        (
            node.name,
            node.op,
            node.attr["output_shape"].s.decode(),
            f"{node.attr['parameters'].i:,}",
            ", ".join(node.input),
        )
        for node in model_graph(model).node
    ]
    table = _table(("layer", "class", "output shape", "parameters", "inputs"), layers)
    return f"{head}{num_trained:,} of them trained\n\n{table}"


def _data_text(job: TrainingJob) -> str:
    parts = {"train": job.examples}
    if job.validation is not None:
        parts["validation"] = job.validation
    rows: list[Sequence[Any]] = [("all", *(f"{len(part):,}" for part in parts.values()))]
    labels = job.spec.labels
    targets = [np.asarray(part.targets) for part in parts.values()]
    if 0 < len(labels) <= MAX_CLASSES and all(array.ndim == 1 for array in targets):
        counts = [np.bincount(array, minlength=len(labels)) for array in targets]
        rows += zip(labels, *counts, strict=True)
    notes = "".join(f"- {note}\n" for note in job.notes)
    return f"{job.examples.description}\n\n{_table(('examples', *parts), rows)}\n{notes}"


def _recipe_text(job: TrainingJob) -> str:
    own_recipe, values = job.task.default_recipe().to_dict(), job.recipe.to_dict()
    changed = changed_fields(job)
    others = [name for name in values if name not in changed]
    defaults = [name for name in others if is_default(job, name)]
    text = ""
    if changed:
        rows = [(name, values[name], own_recipe.get(name, "")) for name in changed]
        head = ("changed", "value", f"in the recipe of {job.spec.name}")
        text = f"{_table(head, rows)}\n\n"
    unchanged = [(name, values[name]) for name in others if name not in defaults]
    text += _table(("as in the recipe", "value"), unchanged)
    return f"{text}\n\nDefaults: {', '.join(defaults)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
