"""The arguments of `fine_tune`, checked before anything slow is imported."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from keras_fm.calibration.arguments import check_coverage
from keras_fm.data.user.source import (
    ProblemType,
    UserData,
    check_source,
    check_target,
    describe_data,
)
from keras_fm.distribution.arguments import check_devices
from keras_fm.errors import InvalidInputError, RunError, UnknownNameError, suggest
from keras_fm.models import run_files
from keras_fm.models.lookup import NamedModel, look_up
from keras_fm.options import Verbose, check_verbose
from keras_fm.registry.recipe import Recipe, load_recipe, recipe_class_of
from keras_fm.training.interrupted_runs import (
    check_same_options,
    check_validation_data,
    load_interrupted_run,
)
from keras_fm.training.recipe_files import NO_FILE, RecipeFile, load_recipe_file
from keras_fm.training.recipe_overrides import (
    check_no_dataset,
    check_overrides,
    check_teacher_name,
)
from keras_fm.training.train_arguments import (
    check_calibration,
    check_new_directory,
    check_observers,
    check_seed,
    check_validation_split,
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
        recipe_file: Of the main stage; its changes are among the overrides.
        recipes: Those of an interrupted fine-tuning by stage, which stay as they are.
    """

    strategy: str
    seed: int
    overrides: Mapping[str, Any]
    recipe_file: RecipeFile = field(default_factory=RecipeFile)
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
    recipe: str | os.PathLike[str] | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
    calibrate: bool | None = None,
    coverage: float | None = None,
    devices: int | None = None,
    hosts: str | None = None,
    hosts_timeout: float | None = None,
    callbacks: Any = None,
    histograms: bool = False,
    profile: bool = False,
    verbose: Verbose = "auto",
    **recipe_overrides: Any,
) -> None:
    """Check the arguments of `fine_tune` as far as they can be without Keras, data and model.

    Raises:
        KerasFmError: As `fine_tune` raises it.
    """
    named = _look_up(name_or_model)
    check_verbose(verbose)
    check_observers(histograms, profile)
    check_devices(devices, hosts, hosts_timeout)
    file = NO_FILE if named is None else fine_tuning_recipe_file(recipe, named, strategy)
    overrides = file.merged(
        recipe_overrides,
        validates_otherwise=validation_split is not None or validation_data is not None,
    )
    if named is None:
        check_coverage(calibrate, coverage)
    else:
        check_calibration(named.name, named.task_name, calibrate, coverage)
    if resume and named is not None:
        path, _ = find_interrupted_run(
            run_dir, named, recipe_overrides, recipe=recipe, validation_split=validation_split
        )
        check_resumed_options(
            path,
            seed=seed,
            strategy=strategy,
            compare=compare,
            augment_with=augment_with,
            validation_data=validation_data,
        )
    if not resume:
        check_new_directory(run_dir)
        if named is not None:
            resolve_options(named, strategy, seed, overrides, file)
    check_generated_ratio(augment_with, overrides)
    if augment_with is not None:
        look_up(augment_with)
    source = UserData(data, text, target, problem_type, class_names, split)
    validation = validation_source(
        source, validation_data, validation_data_split, validation_split, overrides
    )
    group = None if named is None else recipe_class_of(named.task_name).fine_tuning_group
    for user_data in (source, validation):
        if user_data is not None:
            check_source(user_data, group)
    check_target(source, group)


def find_interrupted_run(
    run_dir: str | os.PathLike[str] | None,
    spec: "ModelSpec | NamedModel",
    overrides: Mapping[str, Any],
    **options: Any,
) -> tuple[Path, dict[str, Any]]:
    """Return the directory of a fine-tuning that was stopped, and its `run.json`.

    Args:
        run_dir: As the user gave it.
        spec: Of the model that is to be fine-tuned.
        overrides: The recipe fields that the user gave.
        **options: Others that a resumed run has already; None where the user gave none.

    Raises:
        UnknownNameError: There is no such recipe field.
        RunError: There is none, or it ended, or it is another model's.
    """
    _check_overrides(spec, overrides)
    changes = [*overrides, *(option for option, value in options.items() if value is not None)]
    path, run_info = load_interrupted_run(run_dir, spec.name, changes)
    if not run_info.get("strategy"):
        raise RunError(f"the run in {path} is no fine-tuning: keras-fm train ... --resume")
    return path, run_info


def check_resumed_options(
    path: Path,
    *,
    seed: int,
    strategy: str,
    compare: bool,
    augment_with: str | None,
    validation_data: Any,
) -> None:
    """Check that the options of `fine_tune` do not contradict the run that it resumes.

    Args:
        path: The directory of the run.
        seed: See `fine_tune`.
        strategy: See `fine_tune`.
        compare: See `fine_tune`.
        augment_with: See `fine_tune`.
        validation_data: See `fine_tune`.

    Raises:
        RunError: They do.
    """
    options = {
        "seed": (seed, 0),
        "strategy": (strategy, DEFAULT_STRATEGY),
        "compare": (compare, False),
        "augment_with": (augment_with, None),
    }
    run_info = run_files.read_run(path)
    check_same_options(
        path,
        options,
        compare=run_files.is_run(path / SCRATCH_STAGE),
        augment_with=run_info.get("augment_with") or None,
    )
    check_validation_data(path, validation_data)


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
    spec: "ModelSpec | NamedModel",
    strategy: str,
    seed: int,
    overrides: Mapping[str, Any],
    recipe_file: RecipeFile = NO_FILE,
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
    options = FineTuningOptions(strategy, seed, overrides, recipe_file)
    known = recipe_class.__struct_fields__
    in_any_task = {
        name: value for name, value in overrides.items() if name.removeprefix(HEAD_PREFIX) in known
    }
    recipes = stage_recipes(spec, replace(options, overrides=in_any_task))  # values are checked
    check_teacher_name(recipes[MAIN_STAGE])
    return options


def fine_tuning_recipe_file(
    recipe: str | os.PathLike[str] | None, spec: "ModelSpec | NamedModel", strategy: str
) -> RecipeFile:
    """Return what the recipe file of a fine-tuning says, with a table for the first stage."""
    has_head = strategy == DEFAULT_STRATEGY
    return load_recipe_file(
        recipe,
        spec.package,
        spec.task_name,
        stage=HEAD_STAGE,
        stage_task=spec.task_name if has_head else None,
    )


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
    recipes = {stage: _strategy_recipe(spec, strategy) for stage, strategy in stages.items()}
    own = options.recipe_file.recipe(recipe_class_of(spec.task_name))
    if own is not None:
        recipes[MAIN_STAGE] = own
    return {stage: recipe.override(**changes[stage]) for stage, recipe in recipes.items()}


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


def interrupted_options(
    path: Path, run_info: dict[str, Any], pretrained_sha256: str
) -> FineTuningOptions:
    """Return the options of the fine-tuning to resume.

    Args:
        path: The run directory.
        run_info: Its `run.json`.
        pretrained_sha256: Of the weights that are to be fine-tuned.

    Raises:
        RunError: The run was initialized from other weights.
    """
    if run_info["init_from_sha256"] != pretrained_sha256:
        raise RunError(
            f"the run in {path} was initialized from {run_info['init_from']!r} with other weights"
        )
    recipe_class = recipe_class_of(run_info["task"])
    recipes = {
        stage: load_recipe(path / stage / run_files.RECIPE, recipe_class)
        for stage in (HEAD_STAGE, MAIN_STAGE)
        if run_files.is_run(path / stage)
    }
    return FineTuningOptions(run_info["strategy"], run_info["seed"], {}, recipes=recipes)
