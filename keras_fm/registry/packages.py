"""The registry: from a name to the room that holds the model.

A room is a folder with `entry.toml`, `recipe.toml` and `model.py`. The zoo's own rooms lie in the
package `keras_fm.zoo`; other packages add theirs through the entry point group `keras_fm.models`:

    [options.entry_points]
    keras_fm.models =
        tiny_net = their_package.tiny_net

Nothing here imports Keras, TensorFlow or the schema library before a model is asked for by name:
`keras-fm list` must start fast, so it reads the few fields that it shows from the plain TOML.
"""

import fnmatch
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module, metadata, util
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from keras_fm.errors import KerasFmError, UnknownNameError, suggest
from keras_fm.registry.toml import read_toml

if TYPE_CHECKING:
    from keras_fm.registry.entry import Entry, Weights
    from keras_fm.registry.recipe import Recipe

ENTRY_POINTS = "keras_fm.models"
RECIPE, PRETRAINING = "recipe.toml", "pretraining.toml"


@dataclass(frozen=True)
class ModelPackage:
    """One model's folder: `package` is its import name, `path` its directory."""

    name: str
    package: str
    path: Path

    @cached_property
    def table(self) -> dict[str, Any]:
        """The plain TOML table of the entry, unchecked."""
        return read_toml(self.path / "entry.toml")

    @cached_property
    def entry(self) -> "Entry":
        """The checked entry."""
        from keras_fm.registry.entry import load_entry

        return load_entry(self.path / "entry.toml")

    @property
    def recipe(self) -> "Recipe":
        """The default training recipe."""
        from keras_fm.registry.recipe import load_recipe

        return load_recipe(self.path / RECIPE)

    @property
    def pretraining_recipe(self) -> "Recipe":
        """The recipe of what a training begins with, where the entry names such a task."""
        from keras_fm.registry.recipe import load_recipe

        return load_recipe(self.path / PRETRAINING)

    def module(self, name: str) -> ModuleType:
        """Imports one module of the room, such as `model`."""
        return import_module(f"{self.package}.{name}")


@cache
def packages() -> dict[str, ModelPackage]:
    """Every room there is, by model name, in alphabetical order."""
    found = {
        path.parent.name: ModelPackage(
            path.parent.name, f"keras_fm.zoo.{path.parent.name}", path.parent
        )
        for folder in import_module("keras_fm.zoo").__path__
        for path in Path(folder).glob("*/entry.toml")
    }
    for point in metadata.entry_points(group=ENTRY_POINTS):
        room = _package_of(point)
        if point.name in found:
            raise KerasFmError(
                f"two packages offer a model {point.name!r}: {found[point.name].package} and "
                f"{point.value}; uninstall one of them"
            )
        found[point.name] = room
    return dict(sorted(found.items()))


def _package_of(point: metadata.EntryPoint) -> ModelPackage:
    what = f"entry point {point.name!r} of group {ENTRY_POINTS!r} names {point.value!r}"
    try:
        spec = util.find_spec(point.value)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise KerasFmError(f"{what}, which is not a package with an __init__.py")
    path = Path(spec.origin).parent
    if path.name != point.name:
        raise KerasFmError(f"{what}: its folder must have the model's name too")
    return ModelPackage(point.name, point.value, path)


def list_models(
    pattern: str = "*", *, task: str | None = None, pretrained: bool | None = None
) -> list[str]:
    """Names of the models that fit, in alphabetical order.

    Args:
        pattern: a shell wildcard, such as `"cifar*"`.
        task: only models of this task, such as `"image-classification"`.
        pretrained: True: only with weights of their task; False: only without; None: all.

    Raises:
        UnknownNameError: no model has this task.
    """
    found = packages()
    tasks = {str(room.table.get("task")) for room in found.values()}
    if task is not None and task not in tasks:
        raise UnknownNameError(f"no model has the task {task!r}. {suggest(task, tasks)}")
    return [
        name
        for name, room in found.items()
        if fnmatch.fnmatchcase(name, pattern)
        and task in (None, room.table.get("task"))
        and pretrained in (None, "default_weights" in room.table)
    ]


def info(name: str) -> "Entry":
    """What is known of a model: task, data, inputs, labels, weights and their claims.

    Args:
        name: `"model"` or `"model.tag"`; the tag must exist.
    """
    room, tag = find(name)
    if tag is not None:
        room.entry.weights_of(tag)
    return room.entry


def weights_of(name: str) -> "Weights":
    """The record of `"model"` (its default weights) or of `"model.tag"`."""
    room, tag = find(name)
    return room.entry.weights_of(tag)


def find(name: str) -> tuple[ModelPackage, str | None]:
    """Splits `"model.tag"` into its room and its tag (None where there is none).

    Raises:
        UnknownNameError: there is no such model; the sentence names the nearest ones.
    """
    if not isinstance(name, str):
        raise UnknownNameError(
            f"a model's name is a string, such as 'cifar_cnn'; received {type(name).__name__}"
        )
    model, dot, tag = name.partition(".")
    if model not in packages():
        is_path = "; no run directory is there either." if "/" in name else "."
        raise UnknownNameError(f"unknown model {name!r}{is_path} {suggest(model, packages())}")
    if dot and not tag:
        raise UnknownNameError(f"{name!r} ends in a dot: write {model!r} or '{model}.TAG'")
    return packages()[model], tag or None
