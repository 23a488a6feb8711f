"""The training of a trial: `train`, or `fine_tune` where there is a strategy."""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_fm import registry
from keras_fm.data.user.source import UserData
from keras_fm.errors import DataWarning, UnknownNameError, suggest
from keras_fm.models.lookup import NamedModel, look_up
from keras_fm.models.run_files import RANDOM
from keras_fm.registry import ModelPackage
from keras_fm.registry.recipe import Recipe, load_recipe, recipe_class_of
from keras_fm.registry.tasks import TASKS
from keras_fm.training.fine_tuning_options import (
    HEAD_STAGE,
    MAIN_STAGE,
    STRATEGIES,
    FineTuningOptions,
    check_fine_tune,
    stage_recipes,
)
from keras_fm.training.recipe_overrides import PRETRAINING, split_overrides
from keras_fm.training.train_arguments import (
    check_train,
    check_validation_split,
    default_init_from,
)

if TYPE_CHECKING:
    from keras_fm.training.jobs import TrainingJob
    from keras_fm.training.runs import Run


@dataclass(frozen=True)
class TrialTraining:
    """What all trials of a search have in common: the arguments of `train` or `fine_tune`.

    Attributes:
        name: The model.
        data: See `train`, or `fine_tune`.
        strategy: Of `fine_tune`; None trains by the model's recipe.
        options: Others, such as `target`, without those that are None.
        seed: Of each training.
        overrides: Recipe fields that all trials have.
    """

    name: str
    data: Any
    strategy: str | None
    options: Mapping[str, Any]
    seed: int
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def package(self) -> ModelPackage:
        """The package of the model."""
        return self._named.package

    @property
    def task_name(self) -> str:
        """The ID of the model's task; that of a user's table may be another one."""
        return self.package.entry.task if self.strategy is None else self._named.task_name

    @property
    def recipe_classes(self) -> dict[str, list[type[Recipe]]]:
        """The recipes that may have a field, by stage, before the data are known."""
        classes = [recipe_class_of(self.task_name)]
        if classes[0].fine_tuning_group == "tables":
            classes = [recipe_class_of(task) for task in TASKS if task.startswith("tabular-")]
        if self.strategy is not None:
            return {"": classes, HEAD_STAGE: classes}
        pretraining = self.package.entry.pretraining
        return {"": classes, PRETRAINING: [recipe_class_of(pretraining)] if pretraining else []}

    def check(self, values: Mapping[str, Any], run_dir: Path) -> None:
        """Check the arguments of a trial as far as they can be without Keras and the data.

        Raises:
            KerasFmError: As `train` or `fine_tune` raises it.
        """
        if self.strategy is None:
            check_train(self.name, **self._arguments(values, run_dir))
        elif self.strategy not in STRATEGIES:
            hint = suggest(self.strategy, STRATEGIES)
            raise UnknownNameError(f"no strategy {self.strategy!r}. {hint}")
        else:
            check_fine_tune(self.name, **self._arguments(values, run_dir))

    def recipe_values(self, recipe: Recipe | None = None) -> dict[str, Any]:
        """Return the values of the recipe's fields, those of the first stage with `head.` in front.

        Args:
            recipe: Fitted to the data; None for the model's own.
        """
        if self.strategy is None:
            path, recipe_class = (
                self.package.path / registry.RECIPE,
                recipe_class_of(self.task_name),
            )
            return (recipe or load_recipe(path, recipe_class)).to_dict()
        options = FineTuningOptions(self.strategy, self.seed, {})
        recipes = stage_recipes(self._named, options)
        head = recipes[HEAD_STAGE].to_dict() if HEAD_STAGE in recipes else {}
        values = (recipe or recipes[MAIN_STAGE]).to_dict()
        return {**values, **{f"{HEAD_STAGE}.{name}": value for name, value in head.items()}}

    def job(self) -> "TrainingJob":
        """Load the data; return the training without a trial's values, of its main stage.

        Raises:
            KerasFmError: As `train` or `fine_tune` raises it.
        """
        if self.strategy is None:
            return self._training_job()
        return self._fine_tuning_job(self.strategy)

    def run(
        self, values: Mapping[str, Any], run_dir: Path, *, callbacks: Sequence[Any], verbose: int
    ) -> "Run":
        """Train with a trial's values into a run directory.

        Raises:
            KerasFmError: As `train` or `fine_tune` raises it.
        """
        from keras_fm.training.fine_tuning import fine_tune
        from keras_fm.training.training import train

        arguments = self._arguments(values, run_dir)
        more: dict[str, Any] = {"callbacks": callbacks, "verbose": verbose}
        function: Any = train if self.strategy is None else fine_tune
        with warnings.catch_warnings():  # `job` has shown what is to be said of the data
            warnings.simplefilter("ignore", DataWarning)
            return function(self.name, **arguments, **more)

    def command(self, recipe: Path) -> list[str]:
        """Return the words of the command that trains by the recipe file of the best trial."""
        data = [str(self.data)] if isinstance(self.data, (str, os.PathLike)) else ["DATA"]
        if self.strategy is None:
            words = ["keras-fm", "train", self.name, *(["--data", *data] if self._has_data else [])]
        else:
            words = ["keras-fm", "fine-tune", self.name, *data, "--strategy", self.strategy]
        for name, value in self.options.items():
            words += [f"--{name.replace('_', '-')}", str(value)]
        if self.seed:
            words += ["--seed", str(self.seed)]
        return [*words, "--recipe", str(recipe)]

    @property
    def _has_data(self) -> bool:
        return self.data is not None

    @property
    def _named(self) -> NamedModel:
        if self.strategy is None:
            package, _ = registry.find(self.name)
            return NamedModel.of(package)
        named = look_up(self.name)
        entry = named.package.entry
        is_pretraining = named.task_name == entry.pretraining != entry.task
        return NamedModel.of(named.package) if is_pretraining else named

    def _arguments(self, values: Mapping[str, Any], run_dir: Path) -> dict[str, Any]:
        strategy = {} if self.strategy is None else {"strategy": self.strategy}
        return {
            "data": self.data,
            **strategy,
            **self.options,
            "run_dir": run_dir,
            "seed": self.seed,
            **self.overrides,
            **values,
        }

    def _training_job(self) -> "TrainingJob":
        from keras_fm.training.jobs import training_job

        overrides, _ = split_overrides(self.overrides)
        init_from = self.options.get("init_from") or default_init_from(self.package, self.data)
        return training_job(
            self.package,
            data=self.data,
            target=self.options.get("target"),
            problem_type=self.options.get("problem_type"),
            seed=self.seed,
            overrides=overrides,
            validation_split=self._validation_split,
            from_random=init_from == RANDOM,
        )

    def _fine_tuning_job(self, strategy: str) -> "TrainingJob":
        from keras_fm.models.spec import ModelSpec
        from keras_fm.training.fine_tuning_jobs import fine_tuning_jobs

        named = self._named
        options = self.options
        user_data = UserData(
            self.data, options.get("text"), options.get("target"), options.get("problem_type")
        )
        stage_jobs = fine_tuning_jobs(
            ModelSpec.from_dict(named.package, dict(named.info)),
            user_data,
            None,
            FineTuningOptions(strategy, self.seed, self.overrides),
            self._validation_split,
        )
        return stage_jobs[MAIN_STAGE]

    @property
    def _validation_split(self) -> float | None:
        return check_validation_split(self.options.get("validation_split"), self.overrides)
