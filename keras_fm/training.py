"""Training: recipe -> compiled model -> `fit` -> run directory."""

import os
from pathlib import Path
from typing import Any

import keras

from keras_fm import data as data_sets
from keras_fm import models, monitoring, precision, registry, runs, tasks
from keras_fm.data import Examples
from keras_fm.errors import DataError, RunError, UnknownNameError
from keras_fm.recipe import Recipe, load_recipe
from keras_fm.schedules import Triangle
from keras_fm.tasks.task import BATCH


def train(
    name: str,
    *,
    data: Examples | str | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
    **recipe_overrides: Any,
) -> runs.Run:
    """Trains a model of the zoo from random weights by its recipe.

    Args:
        name: the model's name.
        data: None for the recipe's data set; `"sample"` for its bundled sample; or `Examples`.
            Validation examples are cut from its end.
        run_dir: a directory that does not exist yet; None: `runs/<name>-<time>-seed<seed>`.
        resume: go on with the training in `run_dir` that was stopped, by its own recipe and seed.
        seed: of the weights, the order of examples and their augmentation.
        **recipe_overrides: fields of the recipe, such as `epochs=2`.

    Returns:
        The run: `model` (float32), `history`, `metrics` of the validation cut, `path`, `report()`.

    Raises:
        UnknownNameError: no such model or recipe field. SchemaError: a field's value does not fit.
        RunError: the directory exists, or there is nothing to resume. DataError: no data.
    """
    room, tag = registry.find(name)
    if tag is not None:
        raise UnknownNameError(
            f"{name!r} names weights, and a training starts from random ones: train {room.name!r}"
        )
    if resume:
        path, recipe, seed = _interrupted(run_dir, name, recipe_overrides)
    else:
        recipe = room.recipe.override(**recipe_overrides)
    identity = models.identity_of(room)
    whole = _load(room, recipe, data)
    tasks.of(identity).check(whole)
    examples, validation = data_sets.cut_validation(whole, recipe.validation_examples)
    if resume:
        runs.check_data(path, examples.origin)
    else:
        path = runs.new_directory(run_dir, name, seed)

    resolved = precision.resolve(recipe.precision)
    keras.utils.set_random_seed(seed)
    with precision.policy(resolved):
        model = models.build(room, identity, **_any_side(recipe))
    adapt = getattr(room.module("model"), "adapt", None)
    if adapt is not None:
        adapt(model, tasks.of(identity).encode(examples))
    if not resume:
        runs.describe(path, model, recipe, data=examples.origin, seed=seed, precision=resolved)
    try:
        return fit(model, examples, validation, recipe, seed=seed, path=path)
    except KeyboardInterrupt:
        sample = " --data sample" if data == data_sets.SAMPLE else ""
        raise KeyboardInterrupt(
            f"stopped; go on with: keras-fm train {name}{sample} --run-dir {path} --resume"
        ) from None


def fit(
    model: keras.Model,
    examples: Examples,
    validation: Examples | None,
    recipe: Recipe,
    *,
    seed: int,
    path: Path,
) -> runs.Run:
    """Trains `model` by the recipe into the run directory `path`, and measures and saves it."""
    task = tasks.of(model)
    batches = task.batches(examples, recipe, seed)
    compile_model(model, recipe, steps=len(batches) * recipe.epochs)
    model.fit(
        batches.stream(),
        epochs=recipe.epochs,
        validation_data=None if validation is None else task.held_out(validation),
        validation_batch_size=BATCH,
        callbacks=[
            *monitoring.callbacks(path, batches, task),
            keras.callbacks.BackupAndRestore(str(path / "checkpoints")),
        ],
        shuffle=False,  # the batches were shuffled, by seed and epoch
        verbose=monitoring.verbosity(),
    )
    trained = models.in_float32(model)
    return runs.finish(path, trained, metrics=_close(trained, validation, path))


def compile_model(model: keras.Model, recipe: Recipe, steps: int) -> None:
    """Compiles a model by its recipe; `steps` is the length of the whole training."""
    rate = recipe.learning_rate
    if recipe.schedule == "triangle":
        rate = Triangle(rate, steps, recipe.warmup)
    shared = {"learning_rate": rate, "weight_decay": recipe.weight_decay or None}
    if recipe.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            momentum=recipe.momentum, nesterov=recipe.nesterov, **shared
        )
    else:
        kinds = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}
        optimizer = kinds[recipe.optimizer](**shared)
    model.compile(
        optimizer,
        **tasks.of(model).objective(recipe),
        jit_compile=keras.backend.backend() == "jax",  # slower with TensorFlow on a CPU
    )


def _any_side(recipe: Recipe) -> dict[str, None]:
    """What `build` is told when the images grow while it trains."""
    return {"image_size": None} if recipe.sides else {}


def _close(model: keras.Model, validation: Examples | None, path: Path) -> dict[str, float]:
    """Measures the finished model on the validation cut, and draws what it answers."""
    if validation is None:
        return {}
    task = tasks.of(model)
    monitoring.write_pictures(path, task.draw_answers(model, validation))
    return task.measure(model, validation)


def _load(room: registry.Room, recipe: Recipe, data: Examples | str | None) -> Examples:
    if isinstance(data, Examples):
        return data
    if data in (None, data_sets.SAMPLE):
        return data_sets.load(recipe.dataset, data or room.entry.split("train"))
    raise DataError(
        f"data is None (the recipe's data set), {data_sets.SAMPLE!r} or Examples; received {data!r}"
    )


def _interrupted(
    run_dir: str | os.PathLike[str] | None, name: str, overrides: dict[str, Any]
) -> tuple[Path, Recipe, int]:
    if run_dir is None:
        raise RunError("resume=True needs run_dir: the directory of the training that was stopped")
    if overrides:
        raise RunError(
            f"a resumed training keeps its recipe; leave out {', '.join(overrides)}, or start anew"
        )
    path = Path(run_dir)
    about = runs.read(path)
    if about["model"] != name:
        raise RunError(f"the run in {path} trains {about['model']!r}, not {name!r}")
    if (path / "result.json").is_file():
        raise RunError(f"the training in {path} is complete; there is nothing to resume")
    return path, load_recipe(path / "recipe.toml"), about["seed"]
