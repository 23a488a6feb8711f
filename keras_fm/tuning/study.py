"""The study of a search: what Optuna keeps of its trials, in a journal that processes share.

study.log      Optuna's journal: each trial's values, losses and state
trials/0007/   the run directory of a trial
trials/0007.lock   is held by the process that trains it, and free where that was killed
recipe.toml    what the best trial changes in the recipe
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from keras_fm.errors import RunError
from keras_fm.progress import say
from keras_fm.tuning.space import FieldSpace, Space

STUDY, TRIALS = "study.log", "trials"
_SETTINGS, _IS_CUT_SHORT, _HAS_ERROR = "settings", "is_cut_short", "has_error"
VALUES, METRICS, MINUTES, PROBLEM = "values", "metrics", "minutes", "problem"
_STARTUP_TRIALS = 5  # complete ones, before any is pruned
_STARTUP_PERCENT = 20  # of a training, before it is pruned


class Study:
    """The trials of a search.

    Args:
        directory: Of the search.
        settings: What a search has to keep: model, data, metric, space.
        greater_is_better: Of the metric.
        seed: Of the values that are tried.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, Any],
        *,
        greater_is_better: bool,
        seed: int,
    ) -> None:
        self.directory = directory
        self.seed = seed
        self.is_new = False
        (directory / TRIALS).mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(directory / "study.lock")
        with self._lock, _quiet():
            self._storage = JournalStorage(JournalFileBackend(str(directory / STUDY)))
            name, direction = "keras_fm", "maximize" if greater_is_better else "minimize"
            self.is_new = not self._storage.get_all_studies()
            self._study = optuna.create_study(
                storage=self._storage, study_name=name, direction=direction, load_if_exists=True
            )
            self._study.pruner = optuna.pruners.MedianPruner(_STARTUP_TRIALS, _STARTUP_PERCENT)
            text = json.dumps(settings, default=str)
            if self.is_new:
                self._study.set_user_attr(_SETTINGS, text)
            self._check_settings(json.loads(self._study.user_attrs[_SETTINGS]), json.loads(text))

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials that have begun."""
        trials = self._study.get_trials(deepcopy=False)
        return [trial for trial in trials if trial.state != TrialState.WAITING]

    @property
    def num_done(self) -> int:
        """How many trials say something of their values: complete, pruned, or failed by them."""
        return sum(trial.state.is_finished() and _says_something(trial) for trial in self.trials)

    def run_dir(self, number: int) -> Path:
        """Return the run directory of a trial."""
        return self.directory / TRIALS / f"{number:04}"

    def enqueue(self, values: Mapping[str, Any]) -> None:
        """Let the next trial have these values."""
        with _quiet():
            self._study.enqueue_trial(dict(values))

    @contextlib.contextmanager
    def next_trial(self, num_trials: int) -> Iterator[Trial | None]:
        """Yield a new trial; None where as many have begun in all.

        Args:
            num_trials: Of all processes.
        """
        with self._lock:
            self._fail_lost_trials()
            num_running = sum(trial.state == TrialState.RUNNING for trial in self.trials)
            trial = None
            if self.num_done + num_running < num_trials:
                # Neither another process nor a later session draws the same numbers again.
                seed = (self.seed * 1_000_003 + len(self.trials)) % 2**32
                with _quiet():
                    self._study.sampler = optuna.samplers.TPESampler(seed=seed)
                    trial = self._study.ask()
                lock = self._trial_lock(trial.number)
                lock.acquire()
        if trial is None:
            yield None
            return
        try:
            yield trial
        finally:
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)

    def complete(self, trial: Trial, value: float) -> None:
        """Say what a trial's metric is."""
        self._study.tell(trial, value)

    def prune(self, trial: Trial) -> None:
        """Say that a trial was stopped, for others were better at that time."""
        self._study.tell(trial, state=TrialState.PRUNED)

    def fail(self, trial: Trial, problem: str) -> None:
        """Say that a trial has no metric, and why."""
        trial.set_user_attr(PROBLEM, problem)
        self._study.tell(trial, state=TrialState.FAIL)

    def stop_by_error(self, trial: Trial, problem: str) -> None:
        """Say that a trial failed by an error that ends the search, whatever its values are."""
        trial.set_user_attr(_HAS_ERROR, True)
        self.fail(trial, problem)

    def cut_short(self, number: int) -> None:
        """Say that the process of a trial was stopped; another trial tries its values."""
        [trial] = [trial for trial in self.trials if trial.number == number]
        self._storage.set_trial_user_attr(trial._trial_id, _IS_CUT_SHORT, True)
        self._study.tell(number, state=TrialState.FAIL)
        if trial.params:
            self.enqueue(trial.params)

    def best_trial(self) -> FrozenTrial | None:
        """Return the trial with the best metric."""
        return next(iter(self.ranked()), None)

    def ranked(self) -> list[FrozenTrial]:
        """Return the complete trials, the best one first."""
        complete = [trial for trial in self.trials if trial.state == TrialState.COMPLETE]
        sign = -1 if self._study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
        return sorted(complete, key=lambda trial: (sign * (trial.value or 0.0), trial.number))

    def _trial_lock(self, number: int) -> FileLock:
        return FileLock(self.directory / TRIALS / f"{number:04}.lock")

    def _fail_lost_trials(self) -> None:
        """Mark trials whose process is no more: the system has given up their locks."""
        for trial in self.trials:
            if trial.state != TrialState.RUNNING:
                continue
            lock = self._trial_lock(trial.number)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            self.cut_short(trial.number)
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)
            say(
                f"trial {trial.number} was cut short, for its process ended: it is marked as "
                f"failed, and another trial tries its values; {self.run_dir(trial.number)} is left "
                "as it is"
            )

    def _check_settings(self, known: dict[str, Any], received: dict[str, Any]) -> None:
        """Raise a `RunError` where the study is of another search."""
        hint = "a search keeps it; name another directory (directory=, --directory)"
        for name in dict.fromkeys([*known, *received]):
            value, new_value = known.get(name), received.get(name)
            if value == new_value:
                continue
            if name == "data_sha256":
                raise RunError(
                    f"the search in {self.directory} began with other rows than "
                    f"{received['data']} has now: {hint}"
                )
            raise RunError(
                f"the search in {self.directory} began with {name}={value!r}; received {name}="
                f"{new_value!r}: {hint}"
            )


def suggest_values(trial: Trial, space: Space) -> dict[str, Any]:
    """Return the values of a trial for each field of the space."""
    with _quiet():
        values = {name: _suggest(trial, name, field) for name, field in space.fields.items()}
    trial.set_user_attr(VALUES, values)
    return values


def is_cut_short(trial: FrozenTrial) -> bool:
    """Return whether the process of a trial was stopped, which says nothing of its values."""
    return bool(trial.user_attrs.get(_IS_CUT_SHORT))


def _says_something(trial: FrozenTrial) -> bool:
    return not is_cut_short(trial) and not trial.user_attrs.get(_HAS_ERROR)


def _suggest(trial: Trial, name: str, field: FieldSpace) -> Any:
    if field.choices is not None:
        return trial.suggest_categorical(name, field.choices)
    if isinstance(field.low, int) and isinstance(field.high, int):
        step = int(field.step or 1)
        return trial.suggest_int(name, field.low, field.high, step=step, log=field.log)
    assert field.low is not None, "a checked range has both bounds"
    assert field.high is not None, "a checked range has both bounds"
    value = trial.suggest_float(name, field.low, field.high, step=field.step, log=field.log)
    return field.rounded(value)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave out Optuna's remarks on each trial: the search says what is to be said."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
