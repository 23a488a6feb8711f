"""Model packages: the folder that holds everything about one model.

A model package has `entry.toml`, `recipe.toml` and `model.py`. The zoo's own lie in `keras_fm.zoo`;
other distributions offer theirs through the entry point group `keras_fm.models`:

    [options.entry_points]
    keras_fm.models =
        tiny_net = their_package.tiny_net

Nothing here imports Keras, TensorFlow or the schema library before a model is looked at by name:
`keras-fm list` must start fast, so it reads the few fields that it shows from the plain TOML.
"""

import fnmatch
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from keras_fm.errors import KerasFmError, UnknownNameError, suggest
from keras_fm.registry.toml import read_toml

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from keras_fm.registry.entry import Entry, Weights

ENTRY_POINTS = "keras_fm.models"
RECIPE, PRETRAINING, OWN_DATA_RECIPE = "recipe.toml", "pretraining.toml", "own_data.toml"


@dataclass(frozen=True)
class ModelPackage:
    """One model's folder.

    Attributes:
        name: The model's name, which is the folder's.
        import_name: The dotted name that Python imports it by.
        path: The folder.
    """

    name: str
    import_name: str
    path: Path

    @cached_property
    def entry_table(self) -> dict[str, Any]:
        """The plain TOML table of the entry, unchecked."""
        return read_toml(self.path / "entry.toml")

    @cached_property
    def entry(self) -> "Entry":
        """The checked entry."""
        from keras_fm.registry.entry import load_entry

        return load_entry(self.path / "entry.toml")

    def module(self, name: str) -> ModuleType:
        """Import one module of the package, such as `model`."""
        return import_module(f"{self.import_name}.{name}")


def packages() -> dict[str, ModelPackage]:
    """Return every model package that is installed, by model name, in alphabetical order.

    Raises:
        KerasFmError: An entry point names no model package, or two offer one name.
    """
    return dict(sorted({**_zoo(), **_installed()}.items()))


def list_models(
    pattern: str = "*", *, task: str | None = None, pretrained: bool | None = None
) -> list[str]:
    """List the names of models, in alphabetical order.

    Args:
        pattern: A shell wildcard, such as `"cifar*"`.
        task: Only models of this task, such as `"image-classification"`.
        pretrained: True for models with weights of their task alone; False for those without;
            None for all.

    Raises:
        UnknownNameError: No model has this task.
    """
    models = packages()
    tasks = {str(package.entry_table.get("task")) for package in models.values()}
    if task is not None and task not in tasks:
        raise UnknownNameError(f"no model has the task {task!r}. {suggest(task, tasks)}")
    return [
        name
        for name, package in models.items()
        if fnmatch.fnmatchcase(name, pattern)
        and task in (None, package.entry_table.get("task"))
        and pretrained in (None, "default_weights" in package.entry_table)
    ]


def info(name: str) -> "Entry":
    """Return what is known of a model: task, data, inputs, labels, weights and their claims.

    Args:
        name: `"model"`, or `"model.tag"`, whose tag must exist.

    Raises:
        UnknownNameError: There is no such model or tag.
    """
    package, tag = find(name)
    if tag is not None:
        package.entry.weights_of(tag)
    return package.entry


def weights_of(name: str) -> "Weights":
    """Return the record of `"model"` (its default weights) or of `"model.tag"`."""
    package, tag = find(name)
    return package.entry.weights_of(tag)


def find(name: str) -> tuple[ModelPackage, str | None]:
    """Split `"model.tag"` into its model package and its tag, which is None where there is none.

    Raises:
        UnknownNameError: There is no such model; the message suggests the nearest names.
    """
    if not isinstance(name, str):
        raise UnknownNameError(
            f"a model's name is a string, such as 'cifar_cnn'; received {type(name).__name__}"
        )
    model, dot, tag = name.partition(".")
    # Other distributions are only searched where the zoo has no such model.
    models = _zoo() if model in _zoo() else packages()
    if model not in models:
        from keras_fm.file_errors import missing_file, near_file

        path_hint = "."
        if "/" in name and not os.path.exists(name) and near_file(name) is not None:
            raise UnknownNameError(
                f"unknown model {name!r}, and {missing_file(name, 'file or folder')}"
            )
        if os.path.exists(name):
            path_hint = "; a file or folder has that name: keras-fm info shows runs and exports."
        elif "/" in name:
            path_hint = "; no run directory is there either."
        raise UnknownNameError(f"unknown model {name!r}{path_hint} {suggest(model, models)}")
    if dot and not tag:
        raise UnknownNameError(f"{name!r} ends in a dot: write {model!r} or '{model}.TAG'")
    return models[model], tag or None


def clear_cache() -> None:
    """Forget the packages, for those that were installed or changed meanwhile."""
    invalidate_caches()  # Python's own list of a folder can be as old as the clock's resolution
    _zoo.cache_clear()
    _installed.cache_clear()


@cache
def _zoo() -> dict[str, ModelPackage]:
    return {
        path.parent.name: ModelPackage(
            path.parent.name, f"keras_fm.zoo.{path.parent.name}", path.parent
        )
        for folder in import_module("keras_fm.zoo").__path__
        for path in Path(folder).glob("*/entry.toml")
    }


@cache
def _installed() -> dict[str, ModelPackage]:
    """Return the model packages of other distributions."""
    installed: dict[str, ModelPackage] = {}
    if not _any_entry_point():
        return installed
    from importlib.metadata import entry_points

    for point in entry_points(group=ENTRY_POINTS):
        package = _package_of(point)
        other = _zoo().get(point.name) or installed.get(point.name)
        if other is not None:
            raise KerasFmError(
                f"two packages offer a model {point.name!r}: {other.import_name} and "
                f"{point.value}; uninstall one of them"
            )
        installed[point.name] = package
    return installed


def _any_entry_point() -> bool:
    """Whether a distribution offers models: `importlib.metadata` takes longer than the rest."""
    return any(ENTRY_POINTS in text for text in _entry_point_files())


def _entry_point_files() -> Iterator[str]:
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")
        except OSError:  # an archive, or a folder that is gone
            names = []
            if os.path.isfile(folder):
                yield ENTRY_POINTS  # it may hold any distribution: look thoroughly
        for name in names:
            if name.endswith((".dist-info", ".egg-info", ".egg")):
                inside = ("EGG-INFO",) if name.endswith(".egg") else ()
                file = os.path.join(folder, name, *inside, "entry_points.txt")
                try:
                    with open(file, encoding="utf-8") as stream:
                        yield stream.read()
                except (OSError, ValueError):
                    continue


def _package_of(point: "EntryPoint") -> ModelPackage:
    from importlib import util

    described = f"entry point {point.name!r} of group {ENTRY_POINTS!r} names {point.value!r}"
    try:
        module_spec = util.find_spec(point.value)
    except ModuleNotFoundError:
        module_spec = None
    if module_spec is None or module_spec.origin is None:
        raise KerasFmError(f"{described}, which is not a package with an __init__.py")
    path = Path(module_spec.origin).parent
    if path.name != point.name:
        raise KerasFmError(f"{described}: its folder must have the model's name too")
    return ModelPackage(point.name, point.value, path)
