"""The signatures of a task's exports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_fm.lazy_imports import tf
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing import graph_checks


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
        note: Sentences on the inputs for the export's README.
    """

    fn: Callable[..., dict[str, tf.Tensor]]
    inputs: Sequence[tf.TensorSpec] | Sequence[dict[str, tf.TensorSpec]]
    example_inputs: dict[str, np.ndarray]
    broadcast_inputs: tuple[str, ...] = ()
    parity_inputs: dict[str, np.ndarray] | None = None
    note: str = ""

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


class Serving(ABC):
    """The signatures of a task's exports."""

    def __init__(self, spec: ModelSpec, data: Any, predictor: Any) -> None:
        self.spec = spec
        self.data = data
        self.predictor = predictor

    @abstractmethod
    def signatures(self, model: keras.Model, folder: Path) -> Signatures:
        """Return the signatures; files written into `folder` become assets of the SavedModel."""


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
