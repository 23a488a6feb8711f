"""The specification of a model: what it is, beside its layers. Each model carries its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import keras
import msgspec

from keras_fm import registry
from keras_fm.calibration.calibration import Calibration
from keras_fm.errors import InvalidInputError
from keras_fm.models.inference import SingleTraceModel
from keras_fm.preprocessing.texts import vocabulary
from keras_fm.registry import ModelPackage
from keras_fm.registry.entry import Entry, Input, Target, check_class_names
from keras_fm.registry.tasks import is_classification, task_module


@dataclass(frozen=True)
class ModelSpec:
    """The model's package, and what a model of other data has in place of its entry's own.

    It is resolved once, from a name, a run directory or a model, and handed on.

    Attributes:
        package: The folder that builds it.
        task_name: The ID of its task.
        labels: The class names of a classifier, or of what a generator makes.
        inputs: Its inputs: the columns of a table, the characters of a text.
        target: What a model of a table predicts.
        folds: Of an ensemble for tables whose members were trained on all folds but one; else 0.
        calibration: Of a calibrated classifier, whose predictions then have more in them.
    """

    package: ModelPackage
    task_name: str
    labels: tuple[str, ...]
    inputs: tuple[Input, ...]
    target: Target | None
    folds: int = 0
    calibration: Calibration | None = None

    @classmethod
    def of(cls, package: ModelPackage) -> "ModelSpec":
        """Return the specification of the zoo's own model."""
        entry = package.entry
        return cls(package, entry.task, tuple(entry.labels), tuple(entry.inputs), entry.target)

    @classmethod
    def of_pretraining(cls, package: ModelPackage) -> "ModelSpec":
        """Return the specification of the model that a training of the zoo's begins with."""
        spec = cls.of(package)
        return replace(spec, task_name=str(package.entry.pretraining), labels=(), target=None)

    @classmethod
    def from_dict(cls, package: ModelPackage, config: dict[str, Any]) -> "ModelSpec":
        """Return the specification that `to_dict` made a dict of."""
        types = {"labels": tuple[str, ...], "inputs": tuple[Input, ...], "target": Target | None}
        values: Any = {name: msgspec.convert(config[name], kind) for name, kind in types.items()}
        if config.get("calibration") is not None:
            values["calibration"] = Calibration.from_dict(config["calibration"])
        return cls(package, config["task"], folds=config.get("folds", 0), **values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts and lists, with the model's name in place of its package."""
        return {
            "model": self.package.name,
            "task": self.task_name,
            "labels": list(self.labels),
            "inputs": msgspec.to_builtins(self.inputs),
            "target": msgspec.to_builtins(self.target),
            **({"folds": self.folds} if self.folds else {}),
            **({"calibration": self.calibration.to_dict()} if self.calibration else {}),
        }

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.package.name

    @property
    def entry(self) -> Entry:
        """The entry of the model."""
        return self.package.entry

    @property
    def is_pretraining(self) -> bool:
        """Whether it is the model that a training begins with, of another task."""
        return self.task_name == self.entry.pretraining != self.entry.task

    @property
    def is_default(self) -> bool:
        """Whether it is the zoo's own model, or that of its pretraining."""
        spec = replace(self, folds=0, calibration=None)
        return spec in (ModelSpec.of(self.package), ModelSpec.of_pretraining(self.package))

    @cached_property
    def task(self) -> Any:
        """The task (`keras_fm.tasks.base.Task`) of this model, built once.

        `keras_fm.registry.tasks` names its class, as an entry point would: models don't import
        tasks.
        """
        return task_module(self.task_name, "task").TASK(self)

    @cached_property
    def vocabulary_size(self) -> int | None:
        """How many token IDs there are, with padding and unknown; None without a vocabulary."""
        entry = self.entry
        if entry.vocabulary is not None:
            return vocabulary.vocabulary_size(self.vocabulary_file, entry.tokenizer)
        return len(self.inputs[0].categories) + 1 if self.inputs[0].categories else None

    @property
    def vocabulary_file(self) -> Any:
        """The file with a token in each line."""
        return self.package.path / str(self.entry.vocabulary)

    def with_class_names(self, class_names: Sequence[str]) -> "ModelSpec":
        """Return the specification of the same model with other classes.

        Raises:
            InvalidInputError: The model is no classifier, or the names are not different and
                printable.
        """
        if not is_classification(self.task_name):
            raise InvalidInputError(
                f"{self.name} is no classifier ({self.task_name}); it can't be given other classes"
            )
        return replace(self, labels=check_class_names(class_names), calibration=None)

    def with_num_classes(self, num_classes: int) -> "ModelSpec":
        """Return the same with so many classes, which are numbered."""
        return self.with_class_names([f"class {index}" for index in range(num_classes)])


@keras.saving.register_keras_serializable("keras_fm")
class ZooModel(SingleTraceModel):
    """A functional model whose `.keras` file holds its specification too."""

    def save(self, filepath: Any, *arguments: Any, **options: Any) -> None:
        """Save the model as Keras does, in a `.keras` file alone.

        Raises:
            InvalidInputError: The path has another suffix: HDF5 files don't hold all of a model.
        """
        if not str(filepath).endswith(".keras"):
            raise InvalidInputError(
                f"expected a file that ends in .keras; received {str(filepath)!r}. The weights "
                "alone are saved by model.save_weights, a SavedModel by keras_fm.export"
            )
        super().save(filepath, *arguments, **options)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {**super().get_config(), "keras_fm": spec_of(self).to_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "ZooModel":
        """Build the model; the layers that its package defines are known by then."""
        package, _ = registry.find(config["keras_fm"]["model"])
        package.module("model")
        graph = {name: value for name, value in config.items() if name != "keras_fm"}
        spec = ModelSpec.from_dict(package, config["keras_fm"])
        return attach_spec(super().from_config(graph, custom_objects), spec)


def attach_spec(model: keras.Model, spec: ModelSpec) -> keras.Model:
    """Return a model of the same layers that carries the specification, into its file too."""
    model.keras_fm_spec = spec
    if isinstance(model, ZooModel):
        return model
    return attach_spec(ZooModel(model.input, model.output, name=model.name), spec)


def spec_of(model: keras.Model) -> ModelSpec:
    """Return the specification that a model carries.

    Raises:
        InvalidInputError: The model does not come from keras_fm.
    """
    spec = getattr(model, "keras_fm_spec", None)
    if not isinstance(spec, ModelSpec):
        raise InvalidInputError(
            f"expected a model from keras_fm.get, train or fine_tune, which knows its labels; "
            f"received the {type(model).__name__} {getattr(model, 'name', model)!r}"
        )
    return spec
