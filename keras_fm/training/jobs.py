"""Training jobs: which model is trained on what, by which recipe. All of it is checked."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import keras

from keras_fm.calibration.arguments import check_classifier, check_num_examples
from keras_fm.data import datasets, splitting
from keras_fm.data.datasets import is_recipe_data
from keras_fm.data.examples import Examples
from keras_fm.data.splitting import split_validation
from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.source import ProblemType, UserData
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.models.spec import ModelSpec
from keras_fm.registry import ModelPackage
from keras_fm.registry.recipe import OWN_DATA, Recipe, check_fields
from keras_fm.tasks.base import Task
from keras_fm.training.recipe_files import NO_FILE, RecipeFile
from keras_fm.training.recipe_overrides import check_no_dataset, check_overrides, override_known
from keras_fm.training.train_arguments import check_data_options

Data = Any  # what `train` takes; `_load` says what that is


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
        split: Of the recipe's data set, which the examples are from; "" for a user's own data.
        callbacks: The user's own.
        coverage: That the trained classifier is calibrated for; None for no calibration.
        histograms: Whether TensorBoard gets histograms of weights, and sizes of activations.
        profile: Whether TensorBoard gets a profile of some steps.
        fitted: Recipe fields that were fitted to the size of the data, with both values.
    """

    spec: ModelSpec
    examples: Examples
    validation: Examples | None
    recipe: Any
    seed: int
    notes: tuple[str, ...] = ()
    adapt_examples: Examples | None = None
    split: str = ""
    callbacks: tuple[keras.callbacks.Callback, ...] = ()
    histograms: bool = False
    profile: bool = False
    fitted: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    coverage: float | None = None

    @property
    def task(self) -> Task:
        """The task of the model."""
        return self.spec.task


def check_callbacks(callbacks: Any) -> tuple[keras.callbacks.Callback, ...]:
    """Return a user's callbacks: one, several, or none.

    Raises:
        InvalidInputError: One is no callback of Keras.
    """
    if isinstance(callbacks, keras.callbacks.Callback):
        return (callbacks,)
    if callbacks is None:
        return ()
    if not isinstance(callbacks, (list, tuple)):
        raise InvalidInputError(
            f"callbacks is a list of keras.callbacks.Callback; received {callbacks!r}"
        )
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            is_class = isinstance(callback, type)
            received = f"the class {callback.__name__}: call it" if is_class else repr(callback)
            raise InvalidInputError(
                f"callbacks is a list of keras.callbacks.Callback; received {received}"
            )
    return tuple(callbacks)


def with_coverage(job: TrainingJob, coverage: float | None) -> TrainingJob:
    """Return the job of a training after which the classifier is calibrated.

    Args:
        job: The training.
        coverage: Of the calibration; None for none.

    Raises:
        InvalidInputError: The model is no classifier, or no example validates.
        DataError: Too few examples validate.
    """
    if coverage is None:
        return job
    check_classifier(job.spec.name, job.spec.task_name)
    if job.validation is None:
        raise InvalidInputError(
            "calibrate needs examples to validate on, and none validates: hold some out "
            "(validation_split=0.2), or leave out calibrate"
        )
    check_num_examples(job.validation.description, len(job.validation), coverage)
    return replace(job, coverage=coverage)


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
    recipe_file: RecipeFile = NO_FILE,
    validation_split: float | None = None,
    from_random: bool = True,
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
        recipe_file: Of the option `recipe`; its changes are among the overrides.
        validation_split: See `train`.
        from_random: Whether the weights are random at first: then a user's own data may have a
            recipe, and a model, of their own.

    Raises:
        UnknownNameError: The recipe has no such field.
        SchemaError: A value does not fit its field.
        DataError: The data can't be had, or nothing can be learned from it.
    """
    default_spec = ModelSpec.of(package)
    default_task: Task = default_spec.task
    check_overrides(default_spec.task_name, overrides)
    default = recipe_file.any_recipe(default_spec.task_name) or default_task.default_recipe()
    resolved = recipe or override_known(default, overrides)
    is_user_data = not is_recipe_data(data) and not isinstance(data, Examples)
    if not is_recipe_data(data):
        check_no_dataset(overrides)
    if "text_buckets" in overrides and not is_user_data:
        raise InvalidInputError(
            "text_buckets is for the texts of your own table: name it as data, or leave it out"
        )
    spec, examples, notes = _load(default_spec, resolved, data, target, problem_type, seed)
    if validation_split is not None:
        count = round(len(examples) * validation_split)
        overrides = {**overrides, "validation_examples": count}
    if recipe is None:
        check_task_fields(spec.task, overrides)
        is_own = is_user_data and from_random and not resolved.teacher
        defaults = recipe_file.recipe(type(spec.task).recipe_class)
        if defaults is None:
            defaults = spec.task.own_data_recipe() if is_own else spec.task.default_recipe()
        resolved = defaults.override(**overrides)
    split = (data or package.entry.split("train")) if is_recipe_data(data) else ""
    if not split:
        resolved = resolved.override(dataset=OWN_DATA)
    job = TrainingJob(spec, examples, None, resolved, seed, tuple(notes), split=split)
    adapted = recipe is None and data is not None and not isinstance(data, Examples)
    kept = overrides.keys() | recipe_file.teacher_fields if adapted else None
    job = _split(job, kept, shuffled=is_user_data)
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
    job = TrainingJob(spec, examples, None, resolved, seed, split=split)
    return _split(job, overrides.keys() if is_sample and recipe is None else None)


def check_task_fields(task: Task, names: Collection[str]) -> None:
    """Check the names of recipe fields when the data have said which task it is.

    Raises:
        UnknownNameError: The recipe of this task has no such field.
    """
    check_fields(names, [type(task).recipe_class], f"the recipe for {task.spec.task_name}")


def with_text_buckets(
    user_data: UserData, recipe: Recipe, overrides: Mapping[str, Any] = MappingProxyType({})
) -> UserData:
    """Return the data with what a recipe for tables, or a change of it, says of their texts."""
    text_buckets = overrides.get("text_buckets", getattr(recipe, "text_buckets", 0))
    return replace(user_data, text_buckets=text_buckets)


def fitted_fields(before: Recipe, after: Recipe) -> dict[str, tuple[Any, Any]]:
    """Return the fields that were fitted to the size of the data, with both values."""
    fields = ("batch_size", "learning_rate", "epochs", "epochs_per_pass")
    values = {name: (getattr(before, name), getattr(after, name)) for name in fields}
    return {name: pair for name, pair in values.items() if pair[0] != pair[1]}


def _split(
    job: TrainingJob, kept: Collection[str] | None, *, shuffled: bool = False
) -> TrainingJob:
    """Adapt the recipe to the examples, and split those off that validate.

    Args:
        job: Whose `examples` are all there are.
        kept: The recipe fields that stay as the user chose them; None leaves all as they are.
        shuffled: Whether the examples are drawn, stratified, duplicates on one side; else the last
            ones validate.
    """
    data, recipe = job.task.data, job.recipe
    fitted: Mapping[str, tuple[Any, Any]] = {}
    if kept is not None:
        fields = data.adapt_recipe(len(job.examples), recipe)
        if shuffled:  # a user's own: every example in each epoch, as in Keras' fit
            fields["drop_remainder"] = False
        if "epochs_per_pass" in kept:
            fields.pop("epochs", None)  # they are of the size that the user chose
        recipe = recipe.override(**{n: v for n, v in fields.items() if n not in kept})
        fitted = fitted_fields(job.recipe, recipe)
    data.check(job.examples)
    count, notes = recipe.validation_examples, DataNotes(job.notes)
    num_folds = getattr(recipe, "folds", 0)  # of a recipe for tables
    spec, regression = replace(job.spec, folds=num_folds), not job.spec.labels
    if shuffled and not data.is_sequence:
        examples, validation = splitting.train_validation_split(
            job.examples,
            count,
            job.seed,
            regression=regression,
            notes=notes,
            class_names=job.spec.labels,
        )
    else:
        examples, validation = split_validation(job.examples, count)
    if num_folds:
        examples = splitting.with_folds(examples, num_folds, job.seed, regression=regression)
        validation = examples if validation is None else validation
    return replace(
        job,
        spec=spec,
        examples=examples,
        validation=validation,
        recipe=recipe,
        notes=tuple(notes),
        fitted=fitted,
    )


def _load(
    spec: ModelSpec,
    recipe: Recipe,
    data: Data,
    target: str | None,
    problem_type: ProblemType | None,
    seed: int,
) -> tuple[ModelSpec, Examples, list[str]]:
    task: Task = spec.task
    check_data_options(data, target, problem_type)
    if isinstance(data, Examples):
        return spec, data, []
    if is_recipe_data(data):
        examples = task.data.load_dataset(recipe.dataset, data or spec.entry.split("train"))
        return spec, examples, []
    # A tf.data.Dataset has a length too, though it may not know its own.
    if isinstance(data, (str, os.PathLike)) or hasattr(data, "__len__"):
        user_data = UserData(data, target=target, problem_type=problem_type)
        return task.data.load_user_data(with_text_buckets(user_data, recipe), seed)
    raise DataError(
        f"data is None (the recipe's data set), {datasets.SAMPLE!r}, Examples or what `fine_tune` "
        f"takes; received {data!r}"
    )
