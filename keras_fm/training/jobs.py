"""Training jobs: which model is trained on what, by which recipe. All of it is checked."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from keras_fm.data import datasets, splitting
from keras_fm.data.examples import Examples
from keras_fm.data.splitting import split_validation
from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.source import ProblemType, UserData
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.models.spec import ModelSpec
from keras_fm.options import check_int
from keras_fm.registry import ModelPackage
from keras_fm.registry.recipe import Recipe, check_fields
from keras_fm.registry.tasks import TASKS, task_module
from keras_fm.tasks.base import Task

Data = Any  # what `train` takes; `_load` says what that is
MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class TrainingJob:
    """One training.

    Attributes:
        spec: Of the model.
        examples: To train on.
        validation: To validate on; None for no validation.
        recipe: Of the spec's task.
        seed: Of the weights, the order of examples, and their augmentation.
        notes: Messages on the data.
        adapt_examples: What `adapt` of `model.py` sees instead of the examples, where that is more.
    """

    spec: ModelSpec
    examples: Examples
    validation: Examples | None
    recipe: Any
    seed: int
    notes: tuple[str, ...] = ()
    adapt_examples: Examples | None = None

    @property
    def task(self) -> Task:
        """The task of the model."""
        return self.spec.task


def check_seed(seed: int) -> int:
    """Return a seed that Keras takes, or raise an `InvalidInputError`."""
    return check_int("seed", seed, 0, MAX_SEED)


def initial_model(job: TrainingJob) -> Any:
    """Return the model that a training starts from: random weights, adapted to the data."""
    model = job.task.build(job.recipe, job.seed)
    job.task.adapt(model, job.examples if job.adapt_examples is None else job.adapt_examples)
    return model


def training_job(
    package: ModelPackage,
    *,
    data: Data,
    target: str | None,
    problem_type: ProblemType | None,
    seed: int,
    overrides: Mapping[str, Any],
    recipe: Recipe | None = None,
) -> TrainingJob:
    """Load and check what a model of the zoo is trained on; arguments are those of `train`.

    Args:
        package: The model's package.
        data: See `train`.
        target: See `train`.
        problem_type: See `train`.
        seed: See `train`.
        overrides: The recipe fields that the user gave; others are adapted to other data than the
            recipe was made for.
        recipe: That of an interrupted training, which stays as it is; None for the package's.

    Raises:
        UnknownNameError: The recipe has no such field.
        SchemaError: A value does not fit its field.
        DataError: The data can't be had, or nothing can be learned from it.
    """
    default_spec = ModelSpec.of(package)
    default_task: Task = default_spec.task
    check_overrides(default_task, overrides)
    resolved = recipe or _override_known(default_task.default_recipe(), overrides)
    is_user_data = not is_recipe_data(data) and not isinstance(data, Examples)
    spec, examples, notes = _load(default_spec, resolved.dataset, data, target, problem_type, seed)
    if recipe is None:
        check_task_fields(spec.task, overrides)
        resolved = spec.task.default_recipe().override(**overrides)
    job = TrainingJob(spec, examples, None, resolved, seed, tuple(notes))
    adapted = recipe is None and data is not None and not isinstance(data, Examples)
    job = _split(job, overrides.keys() if adapted else None, shuffled=is_user_data)
    if data is not None or "adapt" not in package.entry.splits:
        return job
    split = package.entry.split("adapt")
    adapt_examples = job.task.data.load_dataset(job.recipe.dataset, split)
    # What validates stands at its end too: a training sees nothing of that.
    adapt_examples, _ = split_validation(adapt_examples, job.recipe.validation_examples)
    return replace(job, adapt_examples=adapt_examples)


def pretraining_job(
    package: ModelPackage,
    *,
    data: Data,
    seed: int,
    overrides: Mapping[str, Any],
    recipe: Recipe | None = None,
) -> TrainingJob:
    """Return the job of the pretraining of a model of the zoo, on the model's own data."""
    spec = ModelSpec.of_pretraining(package)
    resolved = recipe or spec.task.default_recipe().override(**overrides)
    is_sample = data is not None and is_recipe_data(data)
    split = datasets.SAMPLE if is_sample else package.entry.split("pretraining")
    examples = spec.task.data.load_dataset(resolved.dataset, split)
    job = TrainingJob(spec, examples, None, resolved, seed)
    return _split(job, overrides.keys() if is_sample and recipe is None else None)


def is_recipe_data(data: Data) -> bool:
    """Return whether it means the recipe's data set, or the sample of it."""
    return data is None or (isinstance(data, str) and data == datasets.SAMPLE)


def recipe_class_of(task_name: str) -> type[Recipe]:
    """Return the class of a task's recipes."""
    return task_module(task_name, "task").TASK.recipe_class


def check_overrides(task: Task, names: Collection[str]) -> None:
    """Check the names of recipe fields before any data is loaded.

    A user's table may turn a regression into a classification, so the fields of all tasks of the
    group are known until then.

    Raises:
        UnknownNameError: No such recipe has this field.
    """
    recipe_classes = [type(task).recipe_class]
    if task.recipe_group == "tables":
        group = (name for name in TASKS if name.startswith("tabular-"))
        recipe_classes = [recipe_class_of(name) for name in group]
    check_fields(names, recipe_classes)


def check_task_fields(task: Task, names: Collection[str]) -> None:
    """Check the names of recipe fields when the data have said which task it is.

    Raises:
        UnknownNameError: The recipe of this task has no such field.
    """
    check_fields(names, [type(task).recipe_class], f"the recipe for {task.spec.task_name}")


def _override_known(recipe: Recipe, overrides: Mapping[str, Any]) -> Recipe:
    known = type(recipe).__struct_fields__
    return recipe.override(**{name: value for name, value in overrides.items() if name in known})


def _split(
    job: TrainingJob, overridden: Collection[str] | None, *, shuffled: bool = False
) -> TrainingJob:
    """Adapt the recipe to the examples, and split those off that validate.

    Args:
        job: Whose `examples` are all there are.
        overridden: The recipe fields that the user gave; None leaves the recipe as it is.
        shuffled: Whether the examples are drawn, stratified, duplicates on one side; else the last
            ones validate.
    """
    data, recipe = job.task.data, job.recipe
    if overridden is not None:
        fields = data.adapt_recipe(len(job.examples), recipe)
        if "epochs_per_pass" in overridden:
            fields.pop("epochs", None)  # they are of the size that the user chose
        recipe = recipe.override(**{n: v for n, v in fields.items() if n not in overridden})
    data.check(job.examples)
    count, notes = recipe.validation_examples, DataNotes(job.notes)
    if shuffled and not data.is_sequence:
        examples, validation = splitting.train_validation_split(
            job.examples,
            count,
            job.seed,
            regression=not job.spec.labels,
            notes=notes,
            class_names=job.spec.labels,
        )
    else:
        examples, validation = split_validation(job.examples, count)
    return replace(job, examples=examples, validation=validation, recipe=recipe, notes=tuple(notes))


def _load(
    spec: ModelSpec,
    dataset: str,
    data: Data,
    target: str | None,
    problem_type: ProblemType | None,
    seed: int,
) -> tuple[ModelSpec, Examples, list[str]]:
    task: Task = spec.task
    is_made_for_it = is_recipe_data(data) or isinstance(data, Examples)
    if is_made_for_it and (target is not None or problem_type is not None):
        raise InvalidInputError(
            "target and problem_type are for a CSV file or a table: name it as data"
        )
    if isinstance(data, Examples):
        return spec, data, []
    if is_made_for_it:
        examples = task.data.load_dataset(dataset, data or spec.entry.split("train"))
        return spec, examples, []
    # A tf.data.Dataset has a length too, though it may not know its own.
    if isinstance(data, (str, os.PathLike)) or hasattr(data, "__len__"):
        user_data = UserData(data, target=target, problem_type=problem_type)
        return task.data.load_user_data(user_data, seed)
    raise DataError(
        f"data is None (the recipe's data set), {datasets.SAMPLE!r}, Examples or what `fine_tune` "
        f"takes; received {data!r}"
    )
