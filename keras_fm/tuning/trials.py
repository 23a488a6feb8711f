"""The trials of a search: each is a training, whose metric the study is told."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_fm.data.examples import Examples
from keras_fm.errors import KerasFmError, RunError, UnknownNameError
from keras_fm.files import atomic_write
from keras_fm.formatting import first_line
from keras_fm.models import run_files
from keras_fm.progress import current_verbose, say
from keras_fm.training.early_stopping import LOSS
from keras_fm.training.runs import Run
from keras_fm.tuning import study as studies
from keras_fm.tuning.pruning import Pruning, monitored_value
from keras_fm.tuning.report import TrialResult, TuningReport, format_metric, format_setting
from keras_fm.tuning.space import Space
from keras_fm.tuning.study import Study
from keras_fm.tuning.trial_training import TrialTraining

_LINE_AN_EPOCH = 2  # of Keras' `verbose`


class Search:
    """Runs trials until there are enough.

    Args:
        training: Of each trial.
        space: Without relative ranges.
        folder: Of the search.
        metric: By what trials are compared.
        greater_is_better: Of the metric.
        pruning: Whether trials are stopped.
        num_trials: Of all processes and sessions.
        trial_verbose: Of the trainings; None: bars on a terminal, else nothing.
    """

    def __init__(
        self,
        training: TrialTraining,
        space: Space,
        folder: Path,
        metric: str,
        *,
        greater_is_better: bool,
        pruning: bool,
        num_trials: int,
        trial_verbose: int | None,
    ) -> None:
        self.training = training
        self.space = space
        self.folder = folder
        self.metric = metric
        self.greater_is_better = greater_is_better
        self.pruning = pruning
        self.num_trials = num_trials
        self.trial_verbose = trial_verbose
        self.study: Study

    def open(self, base: Mapping[str, Any], examples: Examples) -> None:
        """Open the study of the directory, or begin it with the values of the recipe.

        Args:
            base: These values.
            examples: To train on.

        Raises:
            RunError: It is that of another search.
        """
        has_trials = any((self.folder / studies.TRIALS).glob("*/"))
        if has_trials and not (self.folder / studies.STUDY).exists():
            raise RunError(
                f"{self.folder} has runs of trials and no {studies.STUDY}: name another directory "
                "(directory=, --directory)"
            )
        training = self.training
        settings = {
            "model": training.name,
            "strategy": training.strategy,
            "metric": self.metric,
            "space": self.space.to_dict(),
            "seed": training.seed,
            "recipe_overrides": dict(training.overrides),
            **{name: str(value) for name, value in training.options.items()},
            "data": examples.description,
            "data_sha256": examples.sha256(),
        }
        self.study = Study(
            self.folder,
            settings,
            greater_is_better=self.greater_is_better,
            seed=training.seed,
        )
        if self.study.is_new:
            self.study.enqueue(self.space.nearest(base))
        elif self.study.num_done:
            say(f"{self.folder}: {self.study.num_done} of {self.num_trials} trials are done")

    def run(self) -> None:
        """Run trials; each that ends is in the study, whatever happens to the next one.

        Raises:
            KeyboardInterrupt: The user stopped it; the message says how to resume it.
        """
        while True:
            with self.study.next_trial(self.num_trials) as trial:
                if trial is None:
                    return
                self._run_trial(trial)
            self._write_recipe()

    def report(self) -> TuningReport:
        """Return the trials of all processes."""
        best, ranked = self.study.best_trial(), self.study.ranked()
        others = [trial for trial in self.study.trials if trial not in ranked]
        self._write_recipe()
        return TuningReport(
            path=self.folder,
            model=self.training.name,
            metric=self.metric,
            greater_is_better=self.greater_is_better,
            trials=tuple(self._result(trial) for trial in [*ranked, *others]),
            num_trials=self.num_trials,
            recipe=None if best is None else self.folder / run_files.RECIPE,
            command=()
            if best is None
            else tuple(self.training.command(self.folder / run_files.RECIPE)),
        )

    def _run_trial(self, trial: Any) -> None:
        values = studies.suggest_values(trial, self.space)
        run_dir = self.study.run_dir(trial.number)
        settings = ", ".join(f"{name}={format_setting(value)}" for name, value in values.items())
        say(f"trial {trial.number:04} ({self.study.num_done + 1} of {self.num_trials}): {settings}")
        pruning = self._pruning(trial, run_dir)
        try:
            run = self.training.run(
                values,
                run_dir,
                callbacks=[] if pruning is None else [pruning],
                verbose=self._verbose(),
            )
            self._tell(trial, run, pruning)
        except KeyboardInterrupt:
            self.study.cut_short(trial.number)
            raise KeyboardInterrupt(
                f"stopped: {self.study.num_done} of {self.num_trials} trials are done, and kept in "
                f"{self.folder}; trial {trial.number:04} was cut short, is marked as failed, and "
                "another one will try its values; the same command resumes it"
            ) from None
        except tf.errors.ResourceExhaustedError as error:  # such as of a batch that is too large
            self._fail(trial, f"out of memory: {first_line(error)}")
        except Exception as error:
            self.study.stop_by_error(trial, first_line(error))
            if isinstance(error, KerasFmError):
                error.add_note(f"(trial {trial.number:04})")
            raise

    def _pruning(self, trial: Any, run_dir: Path) -> Pruning | None:
        if not self.pruning:
            return None
        monitored = monitored_value([*self.space.fields], self.metric)
        sign = -1 if monitored == LOSS and self.greater_is_better else 1
        return Pruning(trial, monitored, sign, run_dir)

    def _tell(self, trial: Any, run: Run, pruning: Pruning | None) -> None:
        """Tell the study the result of a run."""
        if self.metric not in run.metrics:
            raise UnknownNameError(
                f"the validation of {self.training.name} has no metric {self.metric!r}, but "
                f"{', '.join(run.metrics)}: choose one of them (metric=, --metric)"
            )
        value = float(run.metrics[self.metric])
        trial.set_user_attr(studies.METRICS, run.metrics)
        trial.set_user_attr(studies.MINUTES, run.minutes)
        if pruning is not None and pruning.reason:
            trial.set_user_attr(studies.PROBLEM, pruning.reason)
            self.study.prune(trial)
            say(f"trial {trial.number:04}: {pruning.reason}")
        elif not math.isfinite(value):
            self._fail(trial, f"its {self.metric} is {value}: the training diverged")
        else:
            self.study.complete(trial, value)
            say(f"trial {trial.number:04}: {self._format(value)}{self._compare(trial.number)}")

    def _fail(self, trial: Any, problem: str) -> None:
        self.study.fail(trial, problem)
        say(f"trial {trial.number:04} failed: {problem}")

    def _compare(self, number: int) -> str:
        """Return which trial is the best now."""
        best = self.study.best_trial()
        if best is None or best.number == number:
            return ", the best so far"
        return f" (best: trial {best.number:04}, {self._format(best.value)})"

    def _format(self, value: float | None) -> str:
        return f"{self.metric} {format_metric(self.metric, value)}"

    def _verbose(self) -> int:
        if self.trial_verbose is not None:
            return self.trial_verbose
        verbose = current_verbose()
        return 0 if verbose == _LINE_AN_EPOCH else verbose

    def _write_recipe(self) -> None:
        """Write what the best trial changes into a file, as another process may do too."""
        best = self.study.best_trial()
        if best is not None:
            changes = {**self.training.overrides, **best.user_attrs[studies.VALUES]}
            lines = [f"{name} = {json.dumps(value)}\n" for name, value in changes.items()]
            with atomic_write(self.folder / run_files.RECIPE) as stream:
                stream.write("".join(lines))

    def _result(self, trial: Any) -> TrialResult:
        attributes = trial.user_attrs
        state = {"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower())
        value = attributes.get(studies.METRICS, {}).get(self.metric)
        return TrialResult(
            number=trial.number,
            state="cut short" if studies.is_cut_short(trial) else state,
            value=value,
            values=attributes.get(studies.VALUES, {}),
            minutes=attributes.get(studies.MINUTES, 0.0),
            path=self.study.run_dir(trial.number),
            problem=attributes.get(studies.PROBLEM, ""),
        )
