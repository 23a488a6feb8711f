"""What one training is about: which model learns what, by which recipe. All of it is checked."""

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_fm import data as data_sets
from keras_fm import models, registry, tasks
from keras_fm.data import Examples, splitting
from keras_fm.data.own import Notes, Source
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.identity import Identity
from keras_fm.recipe import Recipe

Data = Any  # what `train` takes; `_load` says what that is


@dataclass(frozen=True)
class Lesson:
    """A model's identity, the examples it learns from and is validated on, its recipe and seed.

    notes: on what of the data was left out. more: what the room's `adapt` sees in place of the
    examples, with those.
    """

    room: registry.Room
    identity: Identity
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


def prepare(
    room: registry.Room,
    recipe: Recipe,
    seed: int,
    data: Data,
    target: str | None,
    kind: str | None,
    *,
    chosen: Collection[str] | None,
) -> Lesson:
    """Loads and checks what the room's model learns; the arguments are those of `train`.

    Args:
        chosen: fields of the recipe that stay as they are where others are fitted to other data
            than it was made for; None: all of them stay.
    """
    identity, whole, notes = _load(room, recipe, data, target, kind, seed)
    lesson = Lesson(room, identity, whole, None, recipe, seed, tuple(notes))
    made_for_it = data is None or isinstance(data, Examples)
    users = not made_for_it and not is_own(data)
    lesson = _cut(lesson, None if made_for_it else chosen, evenly=users)
    if data is not None or "adapting" not in room.entry.splits:
        return lesson
    more = data_sets.load(recipe.dataset, room.entry.split("adapting"))
    # What validates stands at its end too: a training sees nothing of that.
    more, _ = data_sets.cut_validation(more, lesson.recipe.validation_examples)
    return replace(lesson, more=more)


def prepare_pretraining(
    room: registry.Room, recipe: Recipe, seed: int, data: Data, *, chosen: Collection[str] | None
) -> Lesson:
    """The same of the task that a training of the room's begins with, on the room's own data."""
    sample = data is not None and is_own(data)
    split = data_sets.SAMPLE if sample else room.entry.split("pretraining")
    whole = data_sets.load(recipe.dataset, split)
    identity = Identity.of_pretraining(room.entry)
    lesson = Lesson(room, identity, whole, None, recipe, seed)
    fields = None if chosen is None else [name.rpartition(".")[2] for name in chosen]
    return _cut(lesson, fields if sample else None)


def is_own(data: Data) -> bool:
    """Whether it means the recipe's own data set, or the sample of it."""
    return data is None or (isinstance(data, str) and data == data_sets.SAMPLE)


def _cut(lesson: Lesson, chosen: Collection[str] | None, *, evenly: bool = False) -> Lesson:
    """Fits the recipe to the examples and cuts off those that validate.

    They are the last ones; `evenly`: of a table, whose rows have no order, as many of each class,
    or of each range of quantities, as there are.
    """
    task, whole, recipe = tasks.of(lesson.identity), lesson.examples, lesson.recipe
    if chosen is not None:
        fitted = task.fit_to(len(whole), recipe)
        if "parts" in chosen:
            fitted.pop("epochs", None)  # they are of the size that the user chose
        recipe = recipe.override(**{name: fitted[name] for name in fitted if name not in chosen})
    task.check(whole)
    count, notes = recipe.validation_examples, Notes(lesson.notes)
    if evenly and isinstance(whole.inputs, dict):
        quantity = not lesson.identity.labels
        parts = splitting.cut(whole, count, lesson.seed, quantity=quantity, notes=notes)
    else:
        parts = data_sets.cut_validation(whole, count)
    return replace(
        lesson, examples=parts[0], validation=parts[1], recipe=recipe, notes=tuple(notes)
    )


def _load(
    room: registry.Room,
    recipe: Recipe,
    data: Data,
    target: str | None,
    kind: str | None,
    seed: int,
) -> tuple[Identity, Examples, list[str]]:
    own = models.identity_of(room)
    made = is_own(data) or isinstance(data, Examples)
    if made and (target is not None or kind is not None):
        raise InvalidInputError("target and kind are for a CSV file or a table: name it as data")
    if isinstance(data, Examples):
        return own, data, []
    if made:
        whole = data_sets.load(recipe.dataset, data or room.entry.split("train"))
        return own, tasks.of(own).arrange(whole), []
    # So has a tf.data.Dataset, though it may not know its own.
    if isinstance(data, (str, os.PathLike)) or hasattr(data, "__len__"):
        return tasks.of(own).learn_from(Source(data, target=target, kind=kind), seed)
    raise DataError(
        f"data is None (the recipe's data set), {data_sets.SAMPLE!r}, Examples or what `fine_tune` "
        f"takes; received {data!r}"
    )
