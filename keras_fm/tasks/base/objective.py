"""What models of a task are trained for and evaluated by."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import keras
import numpy as np

from keras_fm.backend import compiles_steps
from keras_fm.data.examples import Examples
from keras_fm.errors import InvalidInputError
from keras_fm.models.spec import ModelSpec
from keras_fm.optimizers.optimizers import make_optimizer
from keras_fm.tasks.base.example_scores import ExampleScores

# Is called with some metrics as soon as they are measured.
OnMetrics = Callable[[Mapping[str, float]], None]


class Objective(ABC):
    """Loss, metrics and baseline."""

    baseline_name: ClassVar[str] = ""  # what `baseline` is, in words

    def __init__(self, spec: ModelSpec, data: Any, predictor: Any) -> None:
        self.spec = spec
        self.data = data
        self.predictor = predictor

    @property
    def slices(self) -> tuple[str, ...]:
        """By what the metrics can be sliced, beside further columns of a user's table."""
        return ()

    @property
    def evaluator_name(self) -> str | None:
        """The model of the zoo that `evaluator_outputs` needs."""
        return None

    def describe_loss(self, recipe: Any) -> str:
        """Return what `val_loss` is, where it is not one of the metrics; "" where it is."""
        return ""

    @abstractmethod
    def compile_options(self, recipe: Any) -> dict[str, Any]:
        """Return the arguments of `compile` beside the optimizer: loss and metrics."""

    def compiled_model(self, model: keras.Model, recipe: Any, steps: int) -> keras.Model:
        """Return what `fit` trains, compiled by the recipe: the model, or one that contains it.

        Args:
            model: The model.
            recipe: The recipe.
            steps: The length of the complete training.
        """
        model.compile(
            make_optimizer(recipe, steps),
            **self.compile_options(recipe),
            jit_compile=compiles_steps(),
        )
        return model

    def optimizer_averages(self, recipe: Any) -> bool:
        """Return whether the optimizer keeps the moving averages of the weights."""
        return bool(recipe.ema_momentum)

    def has_custom_step(self, recipe: Any) -> bool:
        """Return whether `compiled_model` has a training step that isn't Keras' own."""
        return False

    def class_weight(self, examples: Examples, recipe: Any) -> dict[int, float] | None:
        """Return the weight of each class in a training; None where all examples weigh the same."""
        return None

    def check_distillation(self, recipe: Any) -> None:
        """Check that a model of the task can learn from a teacher by the recipe.

        Raises:
            InvalidInputError: It can't.
        """
        raise InvalidInputError(
            f"teacher={recipe.teacher!r}: expected a classifier or a regression to train; received "
            f"{self.spec.name} ({self.spec.task_name})"
        )

    def distillation_targets(
        self, examples: Examples, num_unlabeled: int, outputs: np.ndarray | None, recipe: Any
    ) -> np.ndarray:
        """Return targets that have a teacher's outputs in them, float32 `[examples, ...]`.

        Args:
            examples: Those that have labels; they come first.
            num_unlabeled: How many others there are.
            outputs: The teacher's outputs for all of them; None where it sees each batch.
            recipe: Says the weight of the teacher's outputs.
        """
        raise NotImplementedError

    def distillation_trainer(
        self, model: keras.Model, teacher: keras.Model | None, recipe: Any
    ) -> keras.Model:
        """Return what is compiled and trained on `distillation_targets`: the model, or its trainer.

        Args:
            model: The model.
            teacher: Sees each batch; None where its outputs are in the targets.
            recipe: The recipe.
        """
        return model

    def outputs(self, model: keras.Model, examples: Examples) -> np.ndarray | None:
        """Return the outputs that `metrics` takes; None where it computes them itself."""
        return None

    def evaluator_outputs(
        self,
        model: keras.Model,
        examples: Examples,
        evaluator: Any,
        *,
        quick: bool = False,
        on_metrics: OnMetrics | None = None,
    ) -> Any:
        """Return what `metrics` takes as outputs, where another model computes it.

        Args:
            model: The model.
            examples: Of the task's data.
            evaluator: See `keras_fm.evaluation.generator_evaluation`.
            quick: Leaves out what a model is trained for.
            on_metrics: Is called with the other metrics before that training.
        """
        return None

    def evaluate(
        self, model: keras.Model, examples: Examples, *, outputs: Any = None
    ) -> dict[str, float]:
        """Return the metrics on all examples by name.

        Args:
            model: The model.
            examples: Of the task's data.
            outputs: What `outputs` or `evaluator_outputs` returned for them, if it was called.
        """
        if outputs is None:
            outputs = self.outputs(model, examples)
        return self.metrics(model, examples, outputs)

    @abstractmethod
    def metrics(self, model: keras.Model, examples: Examples, outputs: Any) -> dict[str, float]:
        """Return the metrics on all examples by name.

        Args:
            model: The model.
            examples: Of the task's data.
            outputs: What `outputs` returned for them.
        """

    def example_scores(self, outputs: Any, examples: Examples) -> ExampleScores | None:
        """Return the first metric as a score of each example; None where it is not their mean.

        Args:
            outputs: What `outputs` or `evaluator_outputs` returned for the examples.
            examples: Of the task's data.
        """
        return None

    def slice_values(self, outputs: Any, examples: Examples, slice_by: str) -> np.ndarray:
        """Return by what the scores of `example_scores` are sliced: numbers, dates, or strings.

        Args:
            outputs: As `example_scores` takes them.
            examples: Of the task's data.
            slice_by: One of `slices`, or of the examples' further columns.
        """
        return examples.columns[slice_by]

    @abstractmethod
    def baseline(self, examples: Examples, validation: Examples) -> dict[str, float]:
        """Return the metrics on `validation` of the best constant prediction."""


class ScoredObjective(Objective):
    """An objective whose metrics are computed from the outputs of all examples at once."""

    @abstractmethod
    def score(self, outputs: np.ndarray, examples: Examples) -> dict[str, float]:
        """Return the metrics of a model's outputs, the first one first."""

    def outputs(self, model: keras.Model, examples: Examples) -> np.ndarray:
        """Return the outputs of all examples."""
        return self.predictor.predict_examples(model, examples)

    def metrics(self, model: keras.Model, examples: Examples, outputs: Any) -> dict[str, float]:
        """Return the metrics of `score`."""
        return self.score(outputs, examples)
