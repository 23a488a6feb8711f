"""What a fine-tuning is about: a user's data, what of it validates, and by which recipes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from keras_fm import registry, tasks
from keras_fm.data import splitting
from keras_fm.data.user_data import DataNotes, UserData
from keras_fm.errors import InvalidInputError, UnknownNameError, suggest
from keras_fm.models.spec import ModelSpec
from keras_fm.registry.recipe import Recipe, load_recipe
from keras_fm.training.jobs import TrainingJob, check_seed

STRATEGIES = ("gradual", "head", "full", "lora")
DEFAULT_STRATEGY = "gradual"
HEAD_STAGE, MAIN_STAGE = (
    "head",
    "",
)  # the folders of the stages in the run's; the last one's is the run's own
_OF_HEAD = f"{HEAD_STAGE}."  # in front of a field of the recipe
RECIPES = Path(__file__).parents[1] / "recipes"

# Of the last stage alone, where no stage is named.
_LAST_ALONE = {"adversarial", "learning_rate", "learns", "lora_rank", "lora_alpha"}
_SHARE = 5  # a fifth validates
_STEPS = 16  # at least so many an epoch, unless a batch would be smaller than
_SMALLEST = 8


@dataclass(frozen=True)
class FineTuningOptions:
    """What `fine_tune` is asked for, beside the data.

    stages: the recipes by their runs' folders. chosen: the fields that the user gave; None: the
    recipes were fitted to the data before.
    """

    strategy: str
    stages: dict[str, Recipe]
    seed: int
    chosen: Mapping[str, Any] | None


def resolve_options(
    identity: ModelSpec, strategy: str, seed: int, overrides: dict[str, Any]
) -> FineTuningOptions:
    """Finds the recipes of a strategy for a model, with the user's changes.

    Raises:
        UnknownNameError: no such strategy or field. InvalidInputError: no model for labels of one's
            own.
    """
    seed = check_seed(seed)
    folder = tasks.task_of(identity).recipes
    if folder is None:
        raise InvalidInputError(
            f"{identity.entry.name} is no classifier and no regression ({identity.task}); it can't "
            "be fine-tuned: train it on your data"
        )
    if strategy not in STRATEGIES:
        raise UnknownNameError(f"no strategy {strategy!r}. {suggest(strategy, STRATEGIES)}")
    room, _ = registry.find(identity.entry.name)
    recipes = {MAIN_STAGE: _recipe(room, folder, strategy)}
    if strategy == DEFAULT_STRATEGY:
        recipes = {HEAD_STAGE: _recipe(room, folder, HEAD_STAGE), **recipes}
    heads = {n.removeprefix(_OF_HEAD): v for n, v in overrides.items() if n.startswith(_OF_HEAD)}
    given = {name: value for name, value in overrides.items() if not name.startswith(_OF_HEAD)}
    if heads and HEAD_STAGE not in recipes:
        raise UnknownNameError(
            f"{', '.join(_OF_HEAD + name for name in heads)}: strategy {strategy!r} has one stage"
        )
    shared = {name: value for name, value in given.items() if name not in _LAST_ALONE}
    changes = {HEAD_STAGE: {**shared, **heads}, MAIN_STAGE: given}
    stages = {name: recipe.override(**changes[name]) for name, recipe in recipes.items()}
    return FineTuningOptions(strategy, stages, seed, overrides)


def _recipe(room: registry.ModelPackage, folder: str, strategy: str) -> Recipe:
    """The room's own recipe of a strategy, where it has one, or that of the task's folder."""
    file = f"{strategy}.toml"
    own = room.path / file
    return load_recipe(own if own.exists() else RECIPES / folder / file)


def validation_source(
    source: UserData, validation: Any, split: str | None, overrides: Mapping[str, Any]
) -> UserData | None:
    """The user's own examples to validate on, if there are any.

    Args:
        split: of a TFDS data set. overrides: the fields of the recipe that the user gave.

    Raises:
        InvalidInputError: they don't go together.
    """
    if validation is None:
        if split is not None:
            raise InvalidInputError("validation_split is of a TFDS data set in validation=")
        return None
    if "validation_examples" in overrides:
        raise InvalidInputError("validation= has all that validates; leave out validation_examples")
    held_out = replace(source, data=validation, split=split or "")
    if isinstance(validation, str) and held_out.path is None and split is None:
        raise InvalidInputError(
            f"say which split of {validation!r} validates: validation_split=, or --validation-split"
        )
    return held_out


def fine_tuning_jobs(
    room: registry.ModelPackage,
    identity: ModelSpec,
    source: UserData,
    held_out: UserData | None,
    asked: FineTuningOptions,
) -> dict[str, TrainingJob]:
    """Loads and checks what is learned: a lesson for each stage, on the same examples.

    A table of other columns than the model knows is learned by the model's own recipe alone.

    Args:
        identity: of the model that goes on. held_out: the user's own examples to validate on;
            None: a fifth of the data, or as many as the recipe says.

    Raises:
        DataError: the data does not do.
        InvalidInputError: a strategy for other columns, or class weights for a quantity.
    """
    own, whole, told = tasks.task_of(identity).learn_from(source, asked.seed, going_on=True)
    task, notes, recipes = tasks.task_of(own), DataNotes(told), asked.stages
    task.check(whole)
    if asked.chosen is not None:
        if own.inputs != identity.inputs:
            _check_anew(asked, whole.description)
            notes.warn(f"{room.name} learned from other columns: it begins anew, by its own recipe")
            recipes = {MAIN_STAGE: room.recipe.override(**asked.chosen)}
        share = len(whole) // _SHARE if held_out is None else 0
        recipes = {
            name: _fit(recipe, len(whole), share, _chosen_for(name, asked.chosen))
            for name, recipe in recipes.items()
        }
    if held_out is None:
        examples, asked_for = splitting.train_validation_split(
            whole,
            recipes[MAIN_STAGE].validation_examples,
            asked.seed,
            regression=not own.labels,
            notes=notes,
        )
    else:
        examples, asked_for = whole, task.read(held_out)
        task.check(asked_for)
        splitting.warn_leakage(examples, asked_for, notes)
    for recipe in recipes.values():
        task.class_weight(examples, recipe)  # a quantity has none
    if asked_for is None:
        notes.warn(f"no example of {whole.description} validates: nothing tells when to stop")
    return {
        name: TrainingJob(room, own, examples, asked_for, recipe, asked.seed, tuple(notes))
        for name, recipe in recipes.items()
    }


def _check_anew(asked: FineTuningOptions, origin: str) -> None:
    if asked.strategy != DEFAULT_STRATEGY:
        raise InvalidInputError(
            f"strategy {asked.strategy!r} goes on with what a model knows, and {origin} has other "
            "columns than this one: leave it out to begin anew"
        )


def _chosen_for(stage: str, chosen: Mapping[str, Any]) -> set[str]:
    """The fields that the user gave for a stage."""
    own = {name.removeprefix(_OF_HEAD) for name in chosen if name.startswith(_OF_HEAD)}
    return {*chosen, *(own if stage == HEAD_STAGE else ())}


def _fit(recipe: Recipe, count: int, held_out: int, chosen: Collection[str]) -> Recipe:
    """The recipe for so many examples; what the user chose stays."""
    batch_size = min(recipe.batch_size, max(_SMALLEST, count // _STEPS))
    fitted = {"validation_examples": held_out, "batch_size": batch_size}
    return recipe.override(**{n: v for n, v in fitted.items() if n not in chosen})


def from_scratch_job(lesson: TrainingJob, epochs: int) -> TrainingJob:
    """The same for a model with random weights: by its room's recipe, in so many epochs.

    It ends with the best weights on the way, as a fine-tuning does, and is not stopped before.
    """
    recipe, task = lesson.room.recipe, tasks.task_of(lesson.identity)
    fitted = {
        **task.fit_to(len(lesson.examples), recipe),
        "validation_examples": lesson.recipe.validation_examples,
        "class_weights": lesson.recipe.class_weights,
        "epochs": epochs,
        "patience": epochs,
    }
    return replace(lesson, recipe=recipe.override(**fitted))
