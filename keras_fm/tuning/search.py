"""`tune`: a search for the best values of recipe fields."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from keras_fm.data.user.source import ProblemType
from keras_fm.models.global_state import preserved_global_state
from keras_fm.options import Verbose
from keras_fm.progress import with_verbose
from keras_fm.training.fine_tuning_options import Strategy
from keras_fm.training.jobs import check_task_fields
from keras_fm.training.recipe_fields import RecipeFields
from keras_fm.tuning.arguments import NUM_TRIALS, check_tune, checked_space
from keras_fm.tuning.objective import is_greater_better, resolve_metric
from keras_fm.tuning.report import TuningReport

if TYPE_CHECKING:
    from keras_fm.training.jobs import TrainingJob
    from keras_fm.tuning.space import Space
    from keras_fm.tuning.trial_training import TrialTraining


@with_verbose
@preserved_global_state()
def tune(
    name: str,
    *,
    data: Any = None,
    space: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    trials: int = NUM_TRIALS,
    directory: str | os.PathLike[str] | None = None,
    metric: str | None = None,
    pruning: bool = True,
    strategy: Strategy | None = None,
    text: str | None = None,
    target: str | None = None,
    problem_type: ProblemType | None = None,
    init_from: str | os.PathLike[str] | None = None,
    validation_split: float | None = None,
    seed: int = 0,
    verbose: Verbose = "auto",
    **recipe_overrides: Unpack[RecipeFields],
) -> TuningReport:
    """Search for the recipe with the best metric on the validation examples, by Optuna.

    Each trial is a training with a run directory of its own, `<directory>/trials/0007`. The same
    call resumes a search that was stopped; several processes, also on several machines that
    share the directory, search together when each makes the same call. The test split is not
    touched: `evaluate` the best run on it, once.

    Args:
        name: The model's name; with a strategy also a run directory or a `.keras` file.
        data: As `train` takes it; with a strategy, as `fine_tune` does.
        space: The values to try: a TOML file or a dict with a range for each field,
            `{"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}`, or its choices,
            `{"batch_size": {"choices": [64, 128]}}`. Integers and other numbers may have a `step`;
            `relative` means multiples of the recipe's own value. None for that of the task, in
            `keras_fm/tuning/spaces/`. The first trial has the recipe's own values, each moved into
            its range.
        trials: How many there are in the end, those of other processes and sessions included.
        directory: Of the search; None for `tuning/<name>`.
        metric: By what trials are compared; None for the one that stands for the model.
        pruning: Stops a trial whose validation loss is worse than the median of those before it.
        strategy: Fine-tunes the pretrained model by this strategy; None trains by the recipe.
        text: See `fine_tune`.
        target: See `train`.
        problem_type: See `train`.
        init_from: See `train`.
        validation_split: See `train`.
        seed: Of the values that are tried, and of each training.
        verbose: 0 prints nothing, 1 draws the bars of the trainings too, 2 prints a line for each
            of their epochs; `"auto"` is 1 on a terminal, else a line a trial.
        **recipe_overrides: Fields of the recipe that all trials have, such as `epochs=2`.

    Returns:
        The trials, the best one first, and the file of its recipe; `print` shows a table.

    Raises:
        UnknownNameError: There is no such model, recipe field or metric.
        SchemaError: The space has a mistake.
        RunError: The directory has another search.
        DataError: The data can't be had, or none of them validates.
        InvalidInputError: Optuna is not installed, or an option does not fit.

    Example:
        >>> space = {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}
        >>> report = keras_fm.tune("mlp", data="houses.csv", target="price", space=space, trials=30)
        >>> print(report)
        >>> report.best.values, report.recipe
    """
    training, checked, folder = check_tune(
        name,
        data=data,
        space=space,
        trials=trials,
        directory=directory,
        metric=metric,
        pruning=pruning,
        strategy=strategy,
        text=text,
        target=target,
        problem_type=problem_type,
        init_from=init_from,
        validation_split=validation_split,
        seed=seed,
        verbose=verbose,
        **recipe_overrides,
    )
    from keras_fm.tuning.trials import Search  # imports optuna, which the checks look for

    job = training.job()
    metric = resolve_metric(job, metric)
    base = training.recipe_values(job.recipe)
    search = Search(
        training,
        _space_of_data(job, training, space, checked, folder).resolve(base),
        folder,
        metric,
        greater_is_better=is_greater_better(metric),
        pruning=pruning,
        num_trials=int(trials),
        trial_verbose=None if verbose == "auto" else int(verbose),
    )
    search.open(base, job.examples)
    del job  # each trial loads the data: they need not be in memory twice
    search.run()
    return search.report()


def _space_of_data(
    job: "TrainingJob", training: "TrialTraining", space: Any, checked: "Space", folder: Path
) -> "Space":
    """Return the space of the task that the data have: a table may be another one's."""
    if space is None and job.spec.task_name != training.task_name:
        return checked_space(training, None, folder, job.spec.task_name)
    check_task_fields(job.task, [name.rpartition(".")[2] for name in checked.fields])
    return checked
