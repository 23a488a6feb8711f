"""What one training is about: which model learns what, by which recipe. All of it is checked."""

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_fm import registry, tasks
from keras_fm.data import datasets, examples, splitting
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import DataNotes, UserData
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.models import spec
from keras_fm.models.spec import ModelSpec
from keras_fm.registry.recipe import Recipe

Data = Any  # what `train` takes; `_load` says what that is


@dataclass(frozen=True)
class TrainingJob:
    """A model's identity, the examples it learns from and is validated on, its recipe and seed.

    notes: on what of the data was left out. more: what the room's `adapt` sees in place of the
    examples, with those.
    """

    room: registry.ModelPackage
    identity: ModelSpec
    examples: Examples
    validation: Examples | None
    recipe: Recipe
    seed: int
    notes: tuple[str, ...] = ()
    more: Examples | None = None

    @property
    def adapting(self) -> Examples:
        """What the room's `adapt` sees."""
        return self.examples if self.more is None else self.more

    def __post_init__(self) -> None:
        check_seed(self.seed)


def check_seed(seed: int) -> int:
    """The seed as Python's own number; an `InvalidInputError` where Keras would not take it."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise InvalidInputError(f"seed is a whole number from 0 to {2**32 - 1}; received {seed!r}")
    return int(seed)


def training_job(
    room: registry.ModelPackage,
    recipe: Recipe,
    seed: int,
    data: Data,
    target: str | None,
    kind: str | None,
    *,
    chosen: Collection[str] | None,
) -> TrainingJob:
    """Loads and checks what the room's model learns; the arguments are those of `train`.

    Args:
        chosen: fields of the recipe that stay as they are where others are fitted to other data
            than it was made for; None: all of them stay.
    """
    identity, whole, notes = _load(room, recipe, data, target, kind, seed)
    lesson = TrainingJob(room, identity, whole, None, recipe, seed, tuple(notes))
    made_for_it = data is None or isinstance(data, Examples)
    users = not made_for_it and not is_recipe_data(data)
    lesson = _cut(lesson, None if made_for_it else chosen, evenly=users)
    if data is not None or "adapting" not in room.entry.splits:
        return lesson
    more = datasets.load(recipe.dataset, room.entry.split("adapting"))
    # What validates stands at its end too: a training sees nothing of that.
    more, _ = examples.split_validation(more, lesson.recipe.validation_examples)
    return replace(lesson, more=more)


def pretraining_job(
    room: registry.ModelPackage,
    recipe: Recipe,
    seed: int,
    data: Data,
    *,
    chosen: Collection[str] | None,
) -> TrainingJob:
    """The same of the task that a training of the room's begins with, on the room's own data."""
    sample = data is not None and is_recipe_data(data)
    split = datasets.SAMPLE if sample else room.entry.split("pretraining")
    whole = datasets.load(recipe.dataset, split)
    identity = ModelSpec.of_pretraining(room.entry)
    lesson = TrainingJob(room, identity, whole, None, recipe, seed)
    fields = None if chosen is None else [name.rpartition(".")[2] for name in chosen]
    return _cut(lesson, fields if sample else None)


def is_recipe_data(data: Data) -> bool:
    """Whether it means the recipe's own data set, or the sample of it."""
    return data is None or (isinstance(data, str) and data == datasets.SAMPLE)


def _cut(
    lesson: TrainingJob, chosen: Collection[str] | None, *, evenly: bool = False
) -> TrainingJob:
    """Fits the recipe to the examples and cuts off those that validate.

    They are the last ones; `evenly`: of a table, whose rows have no order, as many of each class,
    or of each range of quantities, as there are.
    """
    task, whole, recipe = tasks.task_of(lesson.identity), lesson.examples, lesson.recipe
    if chosen is not None:
        fitted = task.fit_to(len(whole), recipe)
        if "parts" in chosen:
            fitted.pop("epochs", None)  # they are of the size that the user chose
        recipe = recipe.override(**{name: fitted[name] for name in fitted if name not in chosen})
    task.check(whole)
    count, notes = recipe.validation_examples, DataNotes(lesson.notes)
    if evenly and isinstance(whole.inputs, dict):
        quantity = not lesson.identity.labels
        parts = splitting.train_validation_split(
            whole, count, lesson.seed, regression=quantity, notes=notes
        )
    else:
        parts = examples.split_validation(whole, count)
    return replace(
        lesson, examples=parts[0], validation=parts[1], recipe=recipe, notes=tuple(notes)
    )


def _load(
    room: registry.ModelPackage,
    recipe: Recipe,
    data: Data,
    target: str | None,
    kind: str | None,
    seed: int,
) -> tuple[ModelSpec, Examples, list[str]]:
    own = spec.default_spec(room)
    made = is_recipe_data(data) or isinstance(data, Examples)
    if made and (target is not None or kind is not None):
        raise InvalidInputError("target and kind are for a CSV file or a table: name it as data")
    if isinstance(data, Examples):
        return own, data, []
    if made:
        whole = datasets.load(recipe.dataset, data or room.entry.split("train"))
        return own, tasks.task_of(own).arrange(whole), []
    # So has a tf.data.Dataset, though it may not know its own.
    if isinstance(data, (str, os.PathLike)) or hasattr(data, "__len__"):
        return tasks.task_of(own).learn_from(UserData(data, target=target, problem_type=kind), seed)
    raise DataError(
        f"data is None (the recipe's data set), {datasets.SAMPLE!r}, Examples or what `fine_tune` "
        f"takes; received {data!r}"
    )
