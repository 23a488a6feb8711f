"""The jobs of a fine-tuning: a user's data, what of it validates, and a recipe for each stage."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from keras_fm.data import splitting
from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.source import UserData
from keras_fm.errors import InvalidInputError
from keras_fm.models.spec import ModelSpec
from keras_fm.registry.recipe import OWN_DATA, Recipe
from keras_fm.training.fine_tuning_options import (
    DEFAULT_STRATEGY,
    HEAD_PREFIX,
    HEAD_STAGE,
    MAIN_STAGE,
    FineTuningOptions,
    stage_recipes,
)
from keras_fm.training.jobs import (
    TrainingJob,
    check_task_fields,
    fitted_fields,
    with_text_buckets,
)

_VALIDATION_PART = 5  # a fifth validates
_MIN_STEPS = 16  # in an epoch, unless a batch would be smaller than
_MIN_BATCH_SIZE = 8


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
    if options.recipes is not None:
        recipe = options.recipes[MAIN_STAGE]
    else:
        file = options.recipe_file
        recipe = file.any_recipe(pretrained.task_name) or pretrained.task.default_recipe()
    user_data = with_text_buckets(user_data, recipe, options.overrides)
    spec, all_examples, notes = pretrained.task.data.load_user_data(
        user_data, options.seed, keep_columns=True
    )
    task, notes = spec.task, DataNotes(notes)
    task.data.check(all_examples)
    if options.recipes is not None:
        unfitted = recipes = dict(options.recipes)
    else:
        if spec.inputs != pretrained.inputs:
            _check_from_scratch(options.strategy, all_examples.description)
            notes.warn(
                f"{spec.name} was trained on other columns: it is trained from scratch, by its own "
                "recipe"
            )
            check_task_fields(task, options.overrides)
            recipe = options.recipe_file.recipe(type(task).recipe_class) or task.default_recipe()
            recipes = {MAIN_STAGE: recipe.override(**options.overrides)}
        else:
            check_task_fields(task, [n.removeprefix(HEAD_PREFIX) for n in options.overrides])
            recipes = stage_recipes(spec, options)
        count = 0
        if validation is None and validation_split is not None:
            count = round(len(all_examples) * validation_split)
        elif validation is None:
            count = len(all_examples) // _VALIDATION_PART
        unfitted = recipes
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
        stage: TrainingJob(
            spec,
            examples,
            validation_examples,
            recipe,
            options.seed,
            tuple(notes),
            fitted=fitted_fields(unfitted[stage], recipe),
        )
        for stage, recipe in recipes.items()
    }


def from_scratch_job(job: TrainingJob, epochs: int) -> TrainingJob:
    """Return the same for random weights: by the model's own recipe, in so many epochs.

    It ends with the best weights, as a fine-tuning does, and is not stopped before.
    """
    recipe = job.task.default_recipe()
    fields = {
        **job.task.data.adapt_recipe(len(job.examples), recipe),
        "dataset": OWN_DATA,
        "validation_examples": job.recipe.validation_examples,
        "drop_remainder": job.recipe.drop_remainder,
        "epochs": epochs,
        "patience": epochs,
    }
    if hasattr(job.recipe, "class_weight"):
        fields["class_weight"] = job.recipe.class_weight
    unfitted, recipe = recipe.override(epochs=epochs), recipe.override(**fields)
    return replace(job, recipe=recipe, fitted=fitted_fields(unfitted, recipe))


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
    fields = {
        "dataset": OWN_DATA,
        "validation_examples": num_validation,
        "batch_size": batch_size,
        "drop_remainder": False,  # every example in each epoch, as in Keras' fit
    }
    return recipe.override(**{n: v for n, v in fields.items() if n not in overridden})
