"""The jobs of a fine-tuning: a user's data, what of it validates, and a recipe for each stage."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from keras_fm.data import splitting
from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.source import UserData
from keras_fm.errors import InvalidInputError, UnknownNameError, suggest
from keras_fm.models.spec import ModelSpec
from keras_fm.options import check_float
from keras_fm.registry.recipe import Recipe, load_recipe
from keras_fm.training.jobs import TrainingJob, check_overrides, check_seed, check_task_fields

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
_VALIDATION_PART = 5  # a fifth validates
_MIN_STEPS = 16  # in an epoch, unless a batch would be smaller than
_MIN_BATCH_SIZE = 8


@dataclass(frozen=True)
class FineTuningOptions:
    """What `fine_tune` is asked for, beside the data.

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


def resolve_options(
    spec: ModelSpec, strategy: str, seed: int, overrides: Mapping[str, Any]
) -> FineTuningOptions:
    """Check the options before any data is loaded.

    Raises:
        UnknownNameError: There is no such strategy or recipe field.
        InvalidInputError: The model can't be fine-tuned.
    """
    seed = check_seed(seed)
    if spec.task.recipe_group is None:
        raise InvalidInputError(
            f"{spec.name} can't be fine-tuned: its task is {spec.task_name}, and fine_tune is for "
            f"classifiers and regressions; {spec.task.data.user_data_hint}"
        )
    if strategy not in STRATEGIES:
        raise UnknownNameError(f"no strategy {strategy!r}. {suggest(strategy, STRATEGIES)}")
    head_fields = [name for name in overrides if name.startswith(HEAD_PREFIX)]
    if head_fields and strategy != DEFAULT_STRATEGY:
        raise UnknownNameError(f"{', '.join(head_fields)}: strategy {strategy!r} has one stage")
    check_overrides(spec.task, [name.removeprefix(HEAD_PREFIX) for name in overrides])
    options = FineTuningOptions(strategy, seed, overrides)
    known = type(spec.task).recipe_class.__struct_fields__
    in_any_task = {
        name: value for name, value in overrides.items() if name.removeprefix(HEAD_PREFIX) in known
    }
    _stage_recipes(spec, replace(options, overrides=in_any_task))  # their values are checked
    return options


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
    if validation_split is not None:
        if isinstance(validation_split, str):
            raise InvalidInputError(
                "validation_split is a fraction of the data, such as 0.2; that of a TFDS data set "
                f"is validation_data_split; received {validation_split!r}"
            )
        check_float("validation_split", validation_split, 0.0, 1.0)
        if validation_data is not None or "validation_examples" in overrides:
            raise InvalidInputError(
                "validation_split, validation_data and validation_examples each say what "
                "validates: give one of them"
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


def fine_tuning_jobs(
    pretrained: ModelSpec,
    user_data: UserData,
    validation: UserData | None,
    options: FineTuningOptions,
    validation_split: float | None = None,
) -> dict[str, TrainingJob]:
    """Load and check what a model is fine-tuned on.

    A table of other columns than the model's is trained from scratch, by the model's own recipe.

    Args:
        pretrained: The specification of the pretrained model.
        user_data: To train on.
        validation: To validate on; None for a part of the data.
        options: What `resolve_options` returned.
        validation_split: The fraction of the data that validates; None for a fifth, or for as many
            as the recipe says.

    Returns:
        A job for each stage, on the same examples.

    Raises:
        DataError: The data can't be read, or nothing can be learned from it.
        InvalidInputError: The strategy needs the columns that the model knows.
        UnknownNameError: A recipe of this task has no such field.
    """
    spec, all_examples, notes = pretrained.task.data.load_user_data(
        user_data, options.seed, keep_columns=True
    )
    task, notes = spec.task, DataNotes(notes)
    task.data.check(all_examples)
    if options.recipes is not None:
        recipes = dict(options.recipes)
    else:
        if spec.inputs != pretrained.inputs:
            _check_from_scratch(options.strategy, all_examples.description)
            notes.warn(
                f"{spec.name} was trained on other columns: it is trained from scratch, by its own "
                "recipe"
            )
            check_task_fields(task, options.overrides)
            recipes = {MAIN_STAGE: task.default_recipe().override(**options.overrides)}
        else:
            check_task_fields(task, [n.removeprefix(HEAD_PREFIX) for n in options.overrides])
            recipes = _stage_recipes(spec, options)
        count = 0
        if validation is None and validation_split is not None:
            count = round(len(all_examples) * validation_split)
        elif validation is None:
            count = len(all_examples) // _VALIDATION_PART
        recipes = {
            stage: _adapt(recipe, len(all_examples), count, _overridden(stage, options.overrides))
            for stage, recipe in recipes.items()
        }
    if validation is None:
        examples, validation_examples = splitting.train_validation_split(
            all_examples,
            recipes[MAIN_STAGE].validation_examples,
            options.seed,
            regression=not spec.labels,
            notes=notes,
            class_names=spec.labels,
        )
    else:
        examples, validation_examples = all_examples, task.data.load_eval_data(validation)
        task.data.check(validation_examples)
        splitting.warn_leakage(examples, validation_examples, notes)
    if validation_examples is None:
        notes.warn(
            f"no example of {all_examples.description} validates: nothing tells when to stop"
        )
    return {
        stage: TrainingJob(spec, examples, validation_examples, recipe, options.seed, tuple(notes))
        for stage, recipe in recipes.items()
    }


def from_scratch_job(job: TrainingJob, epochs: int) -> TrainingJob:
    """Return the same for random weights: by the model's own recipe, in so many epochs.

    It ends with the best weights, as a fine-tuning does, and is not stopped before.
    """
    recipe = job.task.default_recipe()
    fields = {
        **job.task.data.adapt_recipe(len(job.examples), recipe),
        "validation_examples": job.recipe.validation_examples,
        "epochs": epochs,
        "patience": epochs,
    }
    if hasattr(job.recipe, "class_weight"):
        fields["class_weight"] = job.recipe.class_weight
    return replace(job, recipe=recipe.override(**fields))


def _stage_recipes(spec: ModelSpec, options: FineTuningOptions) -> dict[str, Recipe]:
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


def _strategy_recipe(spec: ModelSpec, strategy: str) -> Recipe:
    """Return the recipe of a strategy that the model's package has, or that of the task's group."""
    file = f"{strategy}.toml"
    own_file = spec.package.path / file
    group_file = RECIPES / str(spec.task.recipe_group) / file
    return load_recipe(own_file if own_file.exists() else group_file, spec.task.recipe_class)


def _check_from_scratch(strategy: str, description: str) -> None:
    if strategy != DEFAULT_STRATEGY:
        raise InvalidInputError(
            f"strategy {strategy!r} is for the columns that the model knows, and {description} has "
            "others: leave it out to train from scratch"
        )


def _overridden(stage: str, overrides: Mapping[str, Any]) -> set[str]:
    """Return the recipe fields that the user gave for a stage."""
    head = {n.removeprefix(HEAD_PREFIX) for n in overrides if n.startswith(HEAD_PREFIX)}
    return {*overrides, *(head if stage == HEAD_STAGE else ())}


def _adapt(
    recipe: Recipe, num_examples: int, num_validation: int, overridden: Collection[str]
) -> Recipe:
    """Return the recipe for so many examples; what the user gave stays."""
    batch_size = min(recipe.batch_size, max(_MIN_BATCH_SIZE, num_examples // _MIN_STEPS))
    fields = {"validation_examples": num_validation, "batch_size": batch_size}
    return recipe.override(**{n: v for n, v in fields.items() if n not in overridden})
