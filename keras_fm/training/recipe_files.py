"""The option `recipe` of `train` and `fine_tune`: a recipe file instead of the model's own."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_fm.errors import InvalidInputError, SchemaError, UnknownNameError, suggest
from keras_fm.files import local_path
from keras_fm.registry import ModelPackage, schema
from keras_fm.registry.recipe import OWN_DATA, TEACHER_FIELDS, Recipe, recipe_class_of
from keras_fm.registry.toml import read_toml
from keras_fm.training.recipe_overrides import recipe_classes_of

_SUFFIX = ".toml"
_OTHER_FILES = {"entry", "pretraining"}  # in a model's folder, but no recipes of its training


@dataclass(frozen=True)
class RecipeFile:
    """What a recipe file says.

    Attributes:
        path: The file.
        table: Of a complete recipe; None where the file changes some fields of the model's own.
        overrides: The changes, those of the table of an earlier stage with its name in front.
    """

    path: Path = Path()
    table: Mapping[str, Any] | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_for_own_data(self) -> bool:
        """Whether it is a complete recipe for a user's own data, as a run keeps it."""
        return self.table is not None and self.table["dataset"] == OWN_DATA

    @property
    def teacher_fields(self) -> set[str]:
        """Return the fields of a teacher that knows the classes of a user's own data."""
        return set(TEACHER_FIELDS if self.is_for_own_data else ())

    def recipe(self, recipe_class: type[Recipe]) -> Recipe | None:
        """Return the complete recipe, if the file has one.

        Raises:
            SchemaError: A recipe of this class has no such field.
        """
        if self.table is None:
            return None
        return schema.convert(dict(self.table), recipe_class, where=str(self.path))

    def any_recipe(self, task_name: str) -> Recipe | None:
        """Return the complete recipe before the data have said which task of a group it is for."""
        return self.recipe(_class_for(self.table or {}, recipe_classes_of(task_name)))

    def merged(self, overrides: Mapping[str, Any], *, validates_otherwise: bool) -> dict[str, Any]:
        """Return the changes and the user's own, which take precedence.

        Args:
            overrides: The recipe fields that the user gave.
            validates_otherwise: Whether another option says what validates.
        """
        changes = dict(self.overrides)
        if validates_otherwise:
            changes.pop("validation_examples", None)
        return {**changes, **overrides}

    def check_data(self, is_user_data: bool) -> None:
        """Check that a recipe for a user's own data is used for such.

        Raises:
            InvalidInputError: It is used for those of the zoo.
        """
        if self.is_for_own_data and not is_user_data:
            raise InvalidInputError(
                f"{self.path} is the recipe of a training on a user's own data: name these "
                "(data=, or --data)"
            )


NO_FILE = RecipeFile()


def load_recipe_file(
    recipe: str | os.PathLike[str] | None,
    package: ModelPackage,
    task_name: str,
    *,
    stage: str,
    stage_task: str | None,
) -> RecipeFile:
    """Read and check a recipe file.

    A file that names a `dataset` is a complete recipe: a field that it leaves out has the value
    that does nothing. One that names none changes the fields that it has, as `--set` does.

    Args:
        recipe: The file, or the name of one in the model's folder, such as `"laptop"`.
        package: Of the model.
        task_name: Of the model.
        stage: The table that the file may have for an earlier stage of the training.
        stage_task: The task of that stage; None where there is none.

    Raises:
        UnknownNameError: There is no such file.
        SchemaError: It has a mistake; the message names file, field and value.
    """
    if recipe is None:
        return NO_FILE
    path = _find(recipe, package)
    table = read_toml(path)
    earlier = table.pop(stage, {})
    if earlier and stage_task is None:
        raise SchemaError(f"{path}: table [{stage}]: this training has one stage; leave it out")
    if stage_task is not None:
        _check(path, earlier, [recipe_class_of(stage_task)])
    overrides = {f"{stage}.{name}": value for name, value in earlier.items()}
    classes = recipe_classes_of(task_name)
    if "dataset" in table:
        file = RecipeFile(path, table, overrides)
        file.any_recipe(task_name)
        return file
    _check(path, table, classes)
    return RecipeFile(path, None, {**table, **overrides})


def _find(recipe: str | os.PathLike[str], package: ModelPackage) -> Path:
    path = local_path(recipe)
    if path.suffix == _SUFFIX or len(path.parts) > 1:
        return path  # one that does not exist can't be read
    files = {file.stem: file for file in sorted(package.path.glob(f"*{_SUFFIX}"))}
    names = [name for name in files if name not in _OTHER_FILES]
    if str(recipe) not in names:
        raise UnknownNameError(
            f"{package.name!r} has no recipe {str(recipe)!r}. {suggest(str(recipe), names)} A file "
            f"of your own ends in {_SUFFIX}."
        )
    return files[str(recipe)]


def _check(path: Path, table: Mapping[str, Any], classes: list[type[Recipe]]) -> None:
    """Check the fields that a file has, by fillers for those that every recipe needs."""
    needed = {"dataset": "", "epochs": 1, "batch_size": 1, "optimizer": "sgd", "learning_rate": 1.0}
    if table.get("optimizer") == "muon":
        needed["momentum"] = 0.95  # the model's recipe may have one
    schema.convert({**needed, **table}, _class_for(table, classes), where=str(path))


def _class_for(table: Mapping[str, Any], classes: list[type[Recipe]]) -> type[Recipe]:
    """Return the first class that has all fields of a table, for a message the first one."""
    return next((c for c in classes if table.keys() <= {*c.__struct_fields__}), classes[0])
