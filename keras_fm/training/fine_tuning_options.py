"""The arguments of `fine_tune`, checked before anything slow is imported."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from keras_fm.data.user.source import ProblemType, UserData, check_source, describe_data
from keras_fm.errors import InvalidInputError, RunError, UnknownNameError, suggest
from keras_fm.models.lookup import NamedModel, look_up
from keras_fm.options import Verbose, check_verbose
from keras_fm.registry.recipe import Recipe, load_recipe, recipe_class_of
from keras_fm.training.recipe_overrides import (
    check_no_dataset,
    check_overrides,
    check_teacher_name,
)
from keras_fm.training.train_arguments import (
    check_new_directory,
    check_seed,
    check_validation_split,
    load_interrupted_run,
)

if TYPE_CHECKING:
    from keras_fm.models.spec import ModelSpec

Strategy = Literal["head_then_full", "head", "full", "lora"]
STRATEGIES: tuple[str, ...] = get_args(Strategy)
DEFAULT_STRATEGY = STRATEGIES[0]
# The folders of the stages in that of the run; the main stage's is the run's own.
MAIN_STAGE, HEAD_STAGE, SCRATCH_STAGE = "", "head", "scratch"
HEAD_PREFIX = f"{HEAD_STAGE}."  # in front of a recipe field of the first stage
RECIPES = Path(__file__).parents[1] / "recipes"

# Of the main stage alone, where no stage is named.
_MAIN_STAGE_FIELDS = {
    "adversarial_epsilon", "learning_rate", "trainable", "lora_rank", "lora_alpha"
}  # fmt: skip


@dataclass(frozen=True)
class FineTuningOptions:
    """The options of a fine-tuning, beside the data.

    Attributes:
        strategy: One of `STRATEGIES`.
        seed: Of everything that is drawn.
        overrides: The recipe fields that the user gave.
        recipes: Those of an interrupted fine-tuning by stage, which stay as they are.
    """

    strategy: str
    seed: int
    overrides: Mapping[str, Any]
    recipes: Mapping[str, Recipe] | None = None


def check_fine_tune(
    name_or_model: Any,
    data: Any,
    *,
    text: str | None = None,
    target: str | None = None,
    problem_type: ProblemType | None = None,
    class_names: Sequence[str] | None = None,
    split: str = "train",
    validation_data: Any = None,
    validation_data_split: str | None = None,
    validation_split: float | None = None,
    strategy: str = DEFAULT_STRATEGY,
    compare: bool = False,
    augment_with: str | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
    callbacks: Any = None,
    verbose: Verbose = "auto",
    **recipe_overrides: Any,
) -> None:
    """Check the arguments of `fine_tune` as far as they can be without Keras, data and model.

    Raises:
        KerasFmError: As `fine_tune` raises it.
    """
    named = _look_up(name_or_model)
    check_verbose(verbose)
    if resume and named is not None:
        find_interrupted_run(run_dir, named, recipe_overrides)
    if not resume:
        check_new_directory(run_dir)
        if named is not None:
            resolve_options(named, strategy, seed, recipe_overrides)
    check_generated_ratio(augment_with, recipe_overrides)
    if augment_with is not None:
        look_up(augment_with)
    source = UserData(data, text, target, problem_type, class_names, split)
    validation = validation_source(
        source, validation_data, validation_data_split, validation_split, recipe_overrides
    )
    group = None if named is None else recipe_class_of(named.task_name).fine_tuning_group
    for user_data in (source, validation):
        if user_data is not None:
            check_source(user_data, group)


def find_interrupted_run(
    run_dir: str | os.PathLike[str] | None,
    spec: "ModelSpec | NamedModel",
    overrides: Mapping[str, Any],
) -> tuple[Path, dict[str, Any]]:
    """Return the directory of a fine-tuning that was stopped, and its `run.json`.

    Raises:
        UnknownNameError: There is no such recipe field.
        RunError: There is none, or it ended, or it is another model's.
    """
    _check_overrides(spec, overrides)
    path, run_info = load_interrupted_run(run_dir, spec.name, [*overrides])
    if not run_info.get("strategy"):
        raise RunError(f"the run in {path} is no fine-tuning: keras-fm train ... --resume")
    return path, run_info


def check_generated_ratio(generator: str | None, overrides: Mapping[str, Any]) -> None:
    """Check that `generated_ratio` and `augment_with` go together.

    Raises:
        InvalidInputError: One of them would do nothing.
    """
    if generator is None and "generated_ratio" in overrides:
        raise InvalidInputError("generated_ratio is of what augment_with makes; name a generator")
    if generator is not None and overrides.get("generated_ratio", 1) == 0:
        raise InvalidInputError("generated_ratio=0 makes no image; leave out augment_with")


def resolve_options(
    spec: "ModelSpec | NamedModel", strategy: str, seed: int, overrides: Mapping[str, Any]
) -> FineTuningOptions:
    """Check the options before any data is loaded.

    Raises:
        UnknownNameError: There is no such strategy or recipe field.
        InvalidInputError: The model can't be fine-tuned.
    """
    seed = check_seed(seed)
    recipe_class = recipe_class_of(spec.task_name)
    if recipe_class.fine_tuning_group is None:
        raise InvalidInputError(
            f"{spec.name} can't be fine-tuned: its task is {spec.task_name}, and fine_tune is for "
            "classifiers and regressions; "
            f"{describe_data(spec.task_name, spec.package.entry.dataset)}"
        )
    if strategy not in STRATEGIES:
        raise UnknownNameError(f"no strategy {strategy!r}. {suggest(strategy, STRATEGIES)}")
    head_fields = [name for name in overrides if name.startswith(HEAD_PREFIX)]
    if head_fields and strategy != DEFAULT_STRATEGY:
        raise UnknownNameError(f"{', '.join(head_fields)}: strategy {strategy!r} has one stage")
    _check_overrides(spec, overrides)
    options = FineTuningOptions(strategy, seed, overrides)
    known = recipe_class.__struct_fields__
    in_any_task = {
        name: value for name, value in overrides.items() if name.removeprefix(HEAD_PREFIX) in known
    }
    recipes = stage_recipes(spec, replace(options, overrides=in_any_task))  # values are checked
    check_teacher_name(recipes[MAIN_STAGE])
    return options


def _check_overrides(spec: "ModelSpec | NamedModel", overrides: Collection[str]) -> None:
    fields = [name.removeprefix(HEAD_PREFIX) for name in overrides]
    check_overrides(spec.task_name, fields, check_fine_tune)
    check_no_dataset(fields)


def validation_source(
    user_data: UserData,
    validation_data: Any,
    validation_data_split: str | None,
    validation_split: Any,
    overrides: Mapping[str, Any],
) -> UserData | None:
    """Return the user's own validation data, if there are any.

    Args:
        user_data: The training data.
        validation_data: Other data of the same kind.
        validation_data_split: Of a TFDS data set.
        validation_split: The fraction of the training data that validates.
        overrides: The recipe fields that the user gave.

    Raises:
        InvalidInputError: They don't go together.
    """
    fraction = check_validation_split(validation_split, overrides)
    if fraction is not None and validation_data is not None:
        raise InvalidInputError(
            "validation_split and validation_data each say what validates: give one of them"
        )
    if validation_data is None:
        if validation_data_split is not None:
            raise InvalidInputError(
                "validation_data_split is of a TFDS data set in validation_data="
            )
        return None
    if "validation_examples" in overrides:
        raise InvalidInputError(
            "validation_data= has all that validates; leave out validation_examples"
        )
    source = replace(user_data, data=validation_data, split=validation_data_split or "")
    is_tfds_name = isinstance(validation_data, str) and source.path is None
    if is_tfds_name and validation_data_split is None:
        raise InvalidInputError(
            f"say which split of {validation_data!r} validates: validation_data_split=, or "
            "--validation-data-split"
        )
    return source


def stage_recipes(spec: "ModelSpec | NamedModel", options: FineTuningOptions) -> dict[str, Recipe]:
    """Return the recipes of the stages of a strategy, with the user's changes."""
    stages = {MAIN_STAGE: options.strategy}
    if options.strategy == DEFAULT_STRATEGY:
        stages = {HEAD_STAGE: HEAD_STAGE, **stages}
    overrides = options.overrides
    main = {name: value for name, value in overrides.items() if not name.startswith(HEAD_PREFIX)}
    shared = {name: value for name, value in main.items() if name not in _MAIN_STAGE_FIELDS}
    head = {
        name.removeprefix(HEAD_PREFIX): value
        for name, value in overrides.items()
        if name.startswith(HEAD_PREFIX)
    }
    changes = {HEAD_STAGE: {**shared, **head}, MAIN_STAGE: main}
    return {
        stage: _strategy_recipe(spec, strategy).override(**changes[stage])
        for stage, strategy in stages.items()
    }


def _strategy_recipe(spec: "ModelSpec | NamedModel", strategy: str) -> Recipe:
    """Return the recipe of a strategy that the model's package has, or that of the task's group."""
    file = f"{strategy}.toml"
    own_file = spec.package.path / file
    recipe_class = recipe_class_of(spec.task_name)
    group_file = RECIPES / str(recipe_class.fine_tuning_group) / file
    return load_recipe(own_file if own_file.exists() else group_file, recipe_class)


def _look_up(name_or_model: Any) -> NamedModel | None:
    """Return the model that fine-tuning starts from; None of one in memory."""
    if not isinstance(name_or_model, (str, os.PathLike)):
        return None
    named = look_up(name_or_model)
    entry = named.package.entry
    if named.task_name == entry.pretraining != entry.task:
        return NamedModel.of(named.package)
    return named
