"""What every task has: a class of four collaborators, and a fifth for TensorBoard.

A `Task` belongs to one `ModelSpec`, whose `task` it is. The rest of the library is the same for
every model; what depends on the task, it asks here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_fm.backend import compiles_steps
from keras_fm.data import datasets
from keras_fm.data.batches import Batches, dataset_from_arrays
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import DataNotes, UserData
from keras_fm.errors import DataError, UnknownNameError
from keras_fm.models.spec import ModelSpec, spec_of
from keras_fm.optimizers.optimizers import make_optimizer
from keras_fm.preprocessing import graph_checks
from keras_fm.registry import PRETRAINING, RECIPE
from keras_fm.registry.recipe import Recipe, load_recipe

PREDICT_BATCH_SIZE = 500

Images = dict[str, np.ndarray]  # uint8 `[rows, columns, channels]`, by name


class TaskData:
    """What models of a task are trained and evaluated on."""

    eval_batch_size: ClassVar[int] = PREDICT_BATCH_SIZE
    # Whether the examples are one sequence, whose end validates; else they are drawn at random.
    is_sequence: ClassVar[bool] = False

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    def load(self, split: str) -> Examples:
        """Load a split of the data set of the model's entry.

        Args:
            split: Such as `"test"`; `"sample"` is the bundled one.

        Raises:
            DataError: The model was trained on other data, or the data set can't be had.
        """
        entry = self.spec.entry
        if not self.spec.is_default:
            raise DataError(
                f"this {entry.name} was trained on other data than {entry.dataset}: say what to "
                "evaluate it on (data=, or --data)"
            )
        examples = self.load_dataset(entry.dataset, entry.split(split))
        if split not in entry.splits:
            return examples
        description = f"{entry.dataset} {split} ({entry.split(split)})"
        return replace(examples, description=description)

    def sample_inputs(self, count: int) -> Any | None:
        """Return inputs of some bundled examples; None where the data set has no sample."""
        try:
            sample = self.prepare_dataset(datasets.sample(self.spec.entry.dataset))
        except UnknownNameError:  # another package's data set
            return None
        return sample.subset(slice(count), sample.description).inputs

    def load_dataset(self, dataset: str, split: str) -> Examples:
        """Load a split of a data set, as the task learns it.

        Args:
            dataset: TFDS name.
            split: In TFDS's terms; `"sample"` is the bundled one.

        Raises:
            DataError: The data set can't be had.
        """
        return self.prepare_dataset(datasets.load(dataset, split))

    def prepare_dataset(self, examples: Examples) -> Examples:
        """Turn a split of a TFDS data set into what the task learns; most take it as it is."""
        return examples

    def check(self, examples: Examples) -> None:
        """Check that the model can be trained and evaluated on the examples.

        Raises:
            DataError: It can't.
        """
        if not isinstance(examples, Examples):
            raise DataError(
                "expected keras_fm.data.Examples(inputs, targets, description); received "
                f"{type(examples).__name__}"
            )
        self.validate(examples)

    def validate(self, examples: Examples) -> None:
        """Check the arrays of the examples; raise a `DataError` that says what was received."""
        raise NotImplementedError

    def load_user_data(
        self, user_data: UserData, seed: int, *, keep_columns: bool = False
    ) -> tuple[ModelSpec, Examples, DataNotes]:
        """Load a user's own data to train on.

        Args:
            user_data: What the user says of it.
            seed: Of the examples' order.
            keep_columns: Whether a pretrained model keeps the columns of a table that it knows.

        Returns:
            The specification of a model of this data, the examples, and notes on them.

        Raises:
            DataError: The data can't be read, or nothing can be learned from it.
        """
        raise self._no_user_data(user_data)

    def load_eval_data(self, user_data: UserData) -> Examples:
        """Load a user's own data to evaluate this model on.

        Raises:
            DataError: The data can't be read, or does not fit the model.
        """
        raise self._no_user_data(user_data)

    def adapt_recipe(self, num_examples: int, recipe: Recipe) -> dict[str, Any]:
        """Return the recipe fields that so many examples of a user's own need otherwise.

        An epoch is one pass over them; there are as many passes as in the recipe.
        """
        batch_size = min(recipe.batch_size, max(1, num_examples // 32))
        fields: dict[str, Any] = {
            "validation_examples": num_examples // 5,
            "batch_size": batch_size,
            "epochs": -(-recipe.epochs // recipe.epochs_per_pass),
            "epochs_per_pass": 1,
        }
        if recipe.optimizer == "sgd":  # whose steps grow with the batch; Adam's do not
            fields["learning_rate"] = recipe.learning_rate * batch_size / recipe.batch_size
        return fields

    def encode(self, examples: Examples) -> Examples:
        """Return the examples with inputs as the model takes them."""
        return examples

    def targets(self, examples: Examples) -> np.ndarray:
        """Return the targets as the loss takes them."""
        return np.asarray(examples.targets)

    def batches(self, examples: Examples, recipe: Any, seed: int) -> Batches:
        """Return the training batches of the examples."""
        raise NotImplementedError

    def validation_dataset(self, examples: Examples) -> tf.data.Dataset | None:
        """Return batches of (inputs, targets) for `fit`'s validation, with weights if needed.

        None where there is nothing that an epoch could be evaluated on quickly.
        """
        inputs = self.encode(examples).inputs
        return dataset_from_arrays(inputs, self.targets(examples), batch_size=self.eval_batch_size)

    def _no_user_data(self, user_data: UserData) -> DataError:
        received = user_data.data if user_data.path is None else str(user_data.path)
        return DataError(
            f"{self.spec.name!r} is not trained or evaluated on a user's files: give data=None for "
            f"its own data set, {datasets.SAMPLE!r} for the bundled sample, or "
            f"keras_fm.data.Examples; received {received!r}"
        )


class Predictor:
    """From raw inputs to predictions."""

    # The methods of `explain`, the default one first.
    explain_methods: ClassVar[tuple[str, ...]] = ()

    def __init__(self, spec: ModelSpec, data: Any) -> None:
        self.spec = spec
        self.data = data

    @property
    def output_spec(self) -> tuple[str, tuple[int | None, ...]]:
        """The name of the model's last layer, and the shape of its output without the batch."""
        raise NotImplementedError

    def predict(self, model: keras.Model, inputs: Any) -> np.ndarray:
        """Return a model's outputs for inputs as it takes them, float32 `[examples, ...]`."""
        outputs = model.predict(inputs, batch_size=PREDICT_BATCH_SIZE, verbose=0)
        return np.asarray(outputs, np.float32)

    def predict_examples(self, model: keras.Model, examples: Examples) -> np.ndarray:
        """Return a model's outputs, or those of its backbone, float32 `[examples, ...]`."""
        return self.predict(model, self.data.encode(examples).inputs)

    def predict_raw(self, model: keras.Model, inputs: Any) -> list[dict[str, Any]]:
        """Return what `pipeline` returns for raw inputs, a dict each.

        Raises:
            InvalidInputError: An input is none that the model takes.
        """
        raise NotImplementedError

    def explained_inputs(self, inputs: Any) -> list["ExplainedInput"]:
        """Return raw inputs as `explain` takes them apart."""
        raise NotImplementedError

    def predictions(self, outputs: np.ndarray) -> list[dict[str, Any]]:
        """Return predictions from a model's outputs, a dict each."""
        raise NotImplementedError

    def target_scores(self, outputs: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        """Return by how much outputs `[batch, ...]` say what was predicted, `[batch]`."""
        raise NotImplementedError


@dataclass(frozen=True)
class ExplainedInput:
    """One raw input, and the same with each of its features hidden.

    Attributes:
        inputs: As the model takes them: the input itself, a batch of 1.
        occlusions: Makes the batch of occluded inputs, one for each feature.
        features: Their names; none of an image.
        image: The image as the model sees it, uint8 `[rows, columns, channels]`.
        regions: Of an image, the rows and columns that each occlusion hides.
    """

    inputs: Any
    occlusions: Callable[[], Any]
    features: tuple[str, ...] = ()
    image: np.ndarray | None = None
    regions: Sequence[tuple[slice, slice]] = ()


class Objective(ABC):
    """What models of a task are trained for and evaluated by."""

    baseline_name: ClassVar[str] = ""  # what `baseline` is, in words

    def __init__(self, spec: ModelSpec, data: Any, predictor: Any) -> None:
        self.spec = spec
        self.data = data
        self.predictor = predictor

    @property
    def slices(self) -> tuple[str, ...]:
        """By what the metrics can be sliced."""
        return ()

    @property
    def evaluator_name(self) -> str | None:
        """The model of the zoo that `evaluate` needs, as its argument `evaluator`."""
        return None

    @abstractmethod
    def compile_options(self, recipe: Any) -> dict[str, Any]:
        """Return the arguments of `compile` beside the optimizer: loss and metrics."""

    def compiled_model(self, model: keras.Model, recipe: Any, steps: int) -> keras.Model:
        """Return what `fit` trains, compiled by the recipe: the model, or one that contains it.

        Args:
            model: The model.
            recipe: The recipe.
            steps: The length of the whole training.
        """
        model.compile(
            make_optimizer(recipe, steps),
            **self.compile_options(recipe),
            jit_compile=compiles_steps(),
        )
        return model

    def check_recipe(self, model: keras.Model, recipe: Any) -> None:  # noqa: B027, no check by default
        """Raise a `KerasFmError` where the model can't be trained by the recipe."""

    def class_weight(self, examples: Examples, recipe: Any) -> dict[int, float] | None:
        """Return the weight of each class in a training; None where all examples weigh the same."""
        return None

    def outputs(self, model: keras.Model, examples: Examples) -> Any:
        """Return the array of outputs that the metrics are of; None where memory can't hold it."""
        return self.predictor.predict_examples(model, examples)

    def evaluate(
        self,
        model: keras.Model,
        examples: Examples,
        slice_by: str | None = None,
        *,
        outputs: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """Return the metrics on all examples by name, and `slices` where asked.

        Args:
            model: The model.
            examples: Of the task's data.
            slice_by: One of `slices`.
            outputs: What `outputs` returned for them, where it was called before.
        """
        if outputs is None:
            outputs = self.outputs(model, examples)
        scores: dict[str, Any] = {**self.score(outputs, examples)}
        if slice_by is not None:
            scores["slices"] = self.score_slices(outputs, examples, slice_by)
        return scores

    @abstractmethod
    def baseline(self, examples: Examples, validation: Examples) -> dict[str, float]:
        """Return the metrics on `validation` of the best constant prediction."""

    def score(self, outputs: np.ndarray, examples: Examples) -> dict[str, float]:
        """Return the metrics of a model's outputs."""
        raise NotImplementedError

    def score_slices(
        self, outputs: np.ndarray, examples: Examples, slice_by: str
    ) -> dict[str, float]:
        """Return one metric of the examples of each slice, by the slice's name.

        Args:
            outputs: A model's outputs.
            examples: The examples.
            slice_by: One of `slices`.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Signature:
    """One serving signature.

    Its function refuses inputs of other shapes, which a server lets through.

    Attributes:
        fn: A function of named tensors.
        inputs: The `tf.TensorSpec` of each input, with names, or dicts of them.
        example_inputs: Real inputs by name, some rows each: a server warms up with them, the
            export's README shows them.
        broadcast_inputs: The inputs of which one row may stand for all.
        parity_inputs: More rows, to compare the export with the model; None for the example.
    """

    fn: Callable[..., dict[str, tf.Tensor]]
    inputs: Sequence[tf.TensorSpec] | Sequence[dict[str, tf.TensorSpec]]
    example_inputs: dict[str, np.ndarray]
    broadcast_inputs: tuple[str, ...] = ()
    parity_inputs: dict[str, np.ndarray] | None = None

    def __post_init__(self) -> None:
        """Put the checks of the shapes in front of the function."""
        fn = graph_checks.with_shape_checks(self.fn, self.inputs, self.broadcast_inputs)
        object.__setattr__(self, "fn", fn)

    @property
    def specs(self) -> dict[str, tf.TensorSpec]:
        """The inputs by name."""
        columns = [spec if isinstance(spec, dict) else {spec.name: spec} for spec in self.inputs]
        return {name: spec for specs in columns for name, spec in specs.items()}

    def __call__(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the function on arrays by name."""
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        arguments = [
            {name: tensors[name] for name in spec} if isinstance(spec, dict) else tensors[spec.name]
            for spec in self.inputs
        ]
        return {name: value.numpy() for name, value in self.fn(*arguments).items()}


@dataclass(frozen=True)
class Signatures:
    """All signatures of an export.

    Attributes:
        by_name: The signatures.
        resources: The lookup tables that they use, which the export tracks.
    """

    by_name: dict[str, Signature]
    resources: list[Any] = field(default_factory=list)


class Serving:
    """The signatures of a task's exports."""

    def __init__(self, spec: ModelSpec, data: Any, predictor: Any) -> None:
        self.spec = spec
        self.data = data
        self.predictor = predictor

    def signatures(self, model: keras.Model, folder: Path) -> Signatures:
        """Return the signatures; files written into `folder` become assets of the SavedModel."""
        raise NotImplementedError


def call_any_batch(model: keras.Model, inputs: Any) -> Any:
    """Call a model in a graph on inputs `[batch, ...]` of any batch, an empty one too.

    oneDNN's convolutions refuse an empty batch, or leave its shape as it was: they get no such.
    """
    count = tf.shape(tf.nest.flatten(inputs)[0])[0]
    added = tf.cast(count == 0, tf.int32)
    filled = tf.nest.map_structure(
        lambda rows: tf.pad(rows, [[0, added], *[[0, 0]] * (rows.shape.rank - 1)]), inputs
    )
    return tf.nest.map_structure(lambda rows: rows[:count], model(filled, training=False))


@dataclass(frozen=True)
class ProjectorPoints:
    """Points for TensorBoard's projector.

    Attributes:
        vectors: `[points, width]`.
        metadata: Columns of what is known of each point, by name.
    """

    vectors: np.ndarray
    metadata: dict[str, list[str]]


class Summaries:
    """What TensorBoard and the model cards show of a task. Each is empty by default."""

    def __init__(self, spec: ModelSpec, data: Any, predictor: Any) -> None:
        self.spec = spec
        self.data = data
        self.predictor = predictor

    def input_images(self, batches: Batches) -> Images:
        """Return images of what a training sees."""
        return {}

    def epoch_images(self, model: keras.Model) -> Images:
        """Return images that the model in training generates, after each epoch."""
        return {}

    def epoch_texts(self, model: keras.Model) -> dict[str, str]:
        """Return texts that the model in training generates, after each epoch."""
        return {}

    def result_images(self, outputs: np.ndarray, examples: Examples) -> Images:
        """Return images of the trained model's outputs."""
        return {}

    def card_images(self, model: keras.Model) -> Images:
        """Return images for the card of a released model."""
        return {}

    def projector_points(self, model: keras.Model, examples: Examples) -> ProjectorPoints | None:
        """Return embeddings of some examples for TensorBoard's projector."""
        return None


class Task:
    """A task for one model.

    A task's package has a subclass of it in its module `task`, called `TASK` there too.

    Attributes:
        spec: The model's specification.
        data: See `TaskData`.
        predictor: See `Predictor`.
        objective: See `Objective`.
        serving: See `Serving`.
        summaries: See `Summaries`.
    """

    recipe_class: ClassVar[type[Recipe]] = Recipe
    # The folder of the recipes that its models are fine-tuned by; None for tasks that are not.
    recipe_group: ClassVar[str | None] = None
    unit: ClassVar[str] = "examples"  # what a training counts by the second
    data_class: ClassVar[type[TaskData]] = TaskData
    predictor_class: ClassVar[type[Predictor]] = Predictor
    objective_class: ClassVar[type[Objective]]
    serving_class: ClassVar[type[Serving]] = Serving
    summaries_class: ClassVar[type[Summaries]] = Summaries

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.data = self.data_class(spec)
        self.predictor = self.predictor_class(spec, self.data)
        self.objective = self.objective_class(spec, self.data, self.predictor)
        self.serving = self.serving_class(spec, self.data, self.predictor)
        self.summaries = self.summaries_class(spec, self.data, self.predictor)

    def default_recipe(self) -> Any:
        """Load the recipe that the model's package has for this task."""
        file = PRETRAINING if self.spec.is_pretraining else RECIPE
        return load_recipe(self.spec.package.path / file, self.recipe_class)

    def remap_weights(
        self, source: keras.Model, target: keras.Model
    ) -> dict[str, list[np.ndarray]]:
        """Return weights that `target`, of this task, takes over otherwise than `source` has them.

        Returns:
            The weights by layer; those of other layers are copied.
        """
        return {}


def task_of(model: keras.Model) -> Task:
    """Return the task of a model.

    Raises:
        InvalidInputError: The model does not come from keras_fm.
    """
    return spec_of(model).task
