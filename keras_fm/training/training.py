"""`train`: a model of the zoo by its recipe, into a run directory."""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from keras_fm import registry
from keras_fm.data.user.source import ProblemType
from keras_fm.errors import RunError, UnknownNameError
from keras_fm.files import local_path
from keras_fm.models import run_files
from keras_fm.models.global_state import preserved_global_state
from keras_fm.models.loading import resolve_model
from keras_fm.models.transfer import transfer_weights
from keras_fm.registry import ModelPackage
from keras_fm.registry.recipe import load_recipe
from keras_fm.training import jobs, runs
from keras_fm.training.distillation import check_teacher
from keras_fm.training.fit import fit
from keras_fm.training.jobs import TrainingJob
from keras_fm.training.recipe_fields import RecipeFields
from keras_fm.training.runs import RANDOM

PRETRAINING = "pretraining"


@preserved_global_state()
def train(
    name: str,
    *,
    data: jobs.Data = None,
    target: str | None = None,
    problem_type: ProblemType | None = None,
    init_from: str | os.PathLike[str] | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
    **recipe_overrides: Unpack[RecipeFields],
) -> runs.Run:
    """Train a model of the zoo by its recipe, from random or pretrained weights.

    Args:
        name: The model's name.
        data: None for the recipe's data set; `"sample"` for its bundled sample; `Examples`, whose
            last ones validate; or a user's own, as `fine_tune` takes it: images, texts or a table,
            of which a fifth validates, drawn by `seed`, stratified and with duplicates on one side;
            for a character model the path of a text, whose last tenth validates. An epoch then has
            at least 32 steps.
        target: The column of the CSV file or data frame to predict.
        problem_type: `"regression"` or `"classification"`; None to infer it from the column.
        init_from: `"random"` weights; `"pretraining"` for those of a model that is trained on the
            entry's other task first, by `pretraining.toml`, in `<run_dir>/pretraining`; or a run,
            or a pretrained model's name, whose layers this model has too. None is `"pretraining"`
            where the entry has one and the model is trained on its own data, else the entry's
            `init_from`, else `"random"`.
        run_dir: A directory that does not exist yet, or is empty; None for
            `runs/<name>-<time>-seed<seed>`.
        resume: Resumes the training in `run_dir` that was stopped, by its own recipe and seed.
        seed: Of the weights, the order of examples and their augmentation.
        **recipe_overrides: Fields of the recipe, such as `epochs=2`; those of the pretraining's
            have `pretraining.` in front. `teacher="mini_bert"` is knowledge distillation: the model
            learns the outputs of another one of its task and classes, too.

    Returns:
        The run: `model` (float32), `history`, `metrics` of the validation examples, `path`,
        `report()`.

    Raises:
        UnknownNameError: There is no such model or recipe field.
        SchemaError: A field's value does not fit.
        RunError: The directory exists, or there is nothing to resume.
        DataError: The data can't be had, or nothing can be learned from it.
        InvalidInputError: `init_from` is a model of other layers.
    """
    package, tag = registry.find(name)
    seed = jobs.check_seed(seed)
    if tag is not None:
        raise UnknownNameError(
            f"{name!r} names weights, and a training makes new ones: train {package.name!r}"
        )
    recipe = pretraining_recipe = None
    overrides, pretraining_overrides = _split_overrides(dict[str, Any](recipe_overrides))
    if resume:
        path, init_from, seed = _interrupted_run(run_dir, name, init_from, [*recipe_overrides])
        recipe = _run_recipe(path)
        if init_from == PRETRAINING:
            pretraining_recipe = _run_recipe(path / PRETRAINING)
    else:
        init_from = init_from or _default_init_from(package, data)
        _check_init_from(package, str(init_from), pretraining_overrides)
    job = jobs.training_job(
        package,
        data=data,
        target=target,
        problem_type=problem_type,
        seed=seed,
        overrides=overrides,
        recipe=recipe,
    )
    check_teacher(job)
    model, pretraining = jobs.initial_model(job), None
    if init_from == PRETRAINING:
        pretraining = jobs.pretraining_job(
            package,
            data=data,
            seed=seed,
            overrides=pretraining_overrides,
            recipe=pretraining_recipe,
        )
    elif init_from != RANDOM:
        _initialize(model, resolve_model(str(init_from)), job)
    if resume:
        runs.check_data(path, job)
    else:
        path = runs.new_directory(run_dir, name, seed)
        if pretraining is not None:
            pretraining_path = runs.new_directory(path / PRETRAINING, name, seed)
            runs.write_run_info(pretraining_path, pretraining)
        runs.write_run_info(path, job, init_from=str(init_from))
    try:
        if pretraining is not None:
            _initialize(model, _pretrain(pretraining, path / PRETRAINING), job)
        return fit(model, job, path)
    except KeyboardInterrupt:
        options = {"data": data, "target": target, "problem-type": problem_type}
        named = {option: value for option, value in options.items() if isinstance(value, str)}
        raise KeyboardInterrupt(resume_command(["train", name], named, path)) from None


def resume_command(command: Sequence[str], options: Mapping[str, Any], path: Path) -> str:
    """Return the message with the command that resumes a training.

    Args:
        command: The command and its arguments.
        options: By name; those that are None are left out.
        path: The run directory.
    """
    words = ["keras-fm", *command]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name}", *([value] if isinstance(value, (str, os.PathLike)) else value)]
    resumed = shlex.join(map(str, [*words, "--run-dir", path, "--resume"]))
    return f"stopped; resume it with: {resumed}"


def load_interrupted_run(
    run_dir: str | os.PathLike[str] | None, name: str, options: Sequence[str]
) -> tuple[Path, dict[str, Any]]:
    """Return the directory of a run that was stopped, and its `run.json`.

    Args:
        run_dir: As the user gave it.
        name: The model that is to be trained.
        options: Those that a resumed run has already.

    Raises:
        RunError: There is none, or it ended, or it is another model's.
    """
    if run_dir is None:
        raise RunError("resume=True needs run_dir: the directory of the training that was stopped")
    if options:
        raise RunError(
            f"a resumed training keeps its recipe and its initial weights; leave out "
            f"{', '.join(options)}, or start a new run"
        )
    path = local_path(run_dir)
    run_info = run_files.read_run(path)
    if run_info["model"] != name:
        raise RunError(f"the run in {path} trains {run_info['model']!r}, not {name!r}")
    if run_files.is_complete(path):
        raise RunError(f"the training in {path} is complete; there is nothing to resume")
    return path, run_info


def _interrupted_run(
    run_dir: str | os.PathLike[str] | None,
    name: str,
    init_from: str | os.PathLike[str] | None,
    overrides: Sequence[str],
) -> tuple[Path, str, int]:
    """Return the directory, initial weights and seed of the training to resume."""
    options = [*overrides, *([] if init_from is None else ["init_from"])]
    path, run_info = load_interrupted_run(run_dir, name, options)
    if "strategy" in run_info:
        raise RunError(f"the run in {path} is a fine-tuning; resume it by fine-tune")
    return path, run_info["init_from"], run_info["seed"]


def _run_recipe(path: Path) -> Any:
    """Return the recipe of a run."""
    recipe_class = jobs.recipe_class_of(run_files.read_run(path)["task"])
    return load_recipe(path / run_files.RECIPE, recipe_class)


def _default_init_from(package: ModelPackage, data: jobs.Data) -> str:
    if package.entry.pretraining is not None and jobs.is_recipe_data(data):
        return PRETRAINING
    return package.entry.init_from or RANDOM


def _split_overrides(overrides: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the recipe fields, and those of the pretraining."""
    prefix = f"{PRETRAINING}."
    pretraining = {n.removeprefix(prefix): v for n, v in overrides.items() if n.startswith(prefix)}
    return {n: v for n, v in overrides.items() if not n.startswith(prefix)}, pretraining


def _check_init_from(
    package: ModelPackage, init_from: str, pretraining_overrides: Mapping[str, Any]
) -> None:
    if init_from == PRETRAINING and package.entry.pretraining is None:
        raise UnknownNameError(
            f"{package.name!r} has no pretraining; initialize it with {RANDOM!r} weights"
        )
    if init_from != PRETRAINING and pretraining_overrides:
        fields = ", ".join(f"{PRETRAINING}.{name}" for name in pretraining_overrides)
        raise UnknownNameError(
            f"{fields}: this training of {package.name!r} has no pretraining, for it is "
            f"initialized from {init_from!r}"
        )


def _initialize(model: Any, pretrained: Any, job: TrainingJob) -> None:
    transfer_weights(pretrained, model, job.task.remap_weights(pretrained, model))


def _pretrain(job: TrainingJob, path: Path) -> Any:
    """Return the pretrained model of the run in `path`, trained now or before an interruption."""
    if run_files.is_complete(path):
        return runs.load_run(path).model
    return fit(jobs.initial_model(job), job, path).model
