"""What a model object is, beside its layers: it carries its identity from room to room."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import msgspec

from keras_fm import registry
from keras_fm.errors import InvalidInputError
from keras_fm.registry.entry import Entry, Input, Target, check_class_names


@dataclass(frozen=True)
class ModelSpec:
    """The zoo's entry, and what a model on other data has in place of the entry's own.

    task: what it does. labels: of a classifier's outputs. inputs: a table's columns.
    target: what a regression answers.
    """

    entry: Entry
    task: str
    labels: tuple[str, ...]
    inputs: tuple[Input, ...]
    target: Target | None

    @classmethod
    def of(cls, entry: Entry) -> "ModelSpec":
        """The identity of the zoo's own model."""
        return cls(entry, entry.task, tuple(entry.labels), tuple(entry.inputs), entry.target)

    @classmethod
    def of_pretraining(cls, entry: Entry) -> "ModelSpec":
        """The identity of the model that a training of the entry's begins with."""
        return replace(cls.of(entry), task=str(entry.pretraining), labels=(), target=None)

    @classmethod
    def read(cls, entry: Entry, about: dict[str, Any]) -> "ModelSpec":
        """The identity that `write` made a dict of."""
        own = {name: about[name] for name in ("task", "labels", "inputs", "target")}
        return msgspec.convert({"entry": entry, **own}, cls)

    def with_labels(self, labels: Sequence[str]) -> "ModelSpec":
        """The identity of the same model with other labels.

        Raises:
            InvalidInputError: the model is no classifier, or they are not different, printable.
        """
        if not self.task.endswith("classification"):
            raise InvalidInputError(
                f"{self.entry.name} is no classifier ({self.task}); it can't be given other classes"
            )
        return replace(self, labels=check_class_names(labels))

    def write(self) -> dict[str, Any]:
        """Plain dicts and lists, with the model's name in place of its entry."""
        about = msgspec.to_builtins(self)
        about.pop("entry")
        return {"model": self.entry.name, **about}


@keras.saving.register_keras_serializable("keras_fm")
class ZooModel(keras.Model):
    """A functional model whose `.keras` file holds its identity too."""

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {**super().get_config(), "keras_fm": spec_of(self).write()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "ZooModel":
        """Builds it anew; the layers that its room defines are known then."""
        about = config["keras_fm"]
        room, _ = registry.find(about["model"])
        room.module("model")
        graph = {name: value for name, value in config.items() if name != "keras_fm"}
        return attach_spec(
            super().from_config(graph, custom_objects), ModelSpec.read(room.entry, about)
        )


def attach_spec(model: keras.Model, identity: ModelSpec) -> keras.Model:
    """Lets the model carry its identity into `pipeline`, `export` and its file: the same layers."""
    model.keras_fm_identity = identity
    if isinstance(model, ZooModel):
        return model
    return attach_spec(ZooModel(model.input, model.output, name=model.name), identity)


def spec_of(model: keras.Model) -> ModelSpec:
    """The identity that the model carries.

    Raises:
        InvalidInputError: the model does not come from keras_fm.
    """
    identity = getattr(model, "keras_fm_identity", None)
    if not isinstance(identity, ModelSpec):
        raise InvalidInputError(
            f"expected a model from keras_fm.get, train or fine_tune, which knows its labels; "
            f"received the {type(model).__name__} {getattr(model, 'name', model)!r}"
        )
    return identity


def default_spec(room: registry.ModelPackage, num_classes: int | None = None) -> ModelSpec:
    """The identity of the room's model, or of one with so many other classes."""
    identity = ModelSpec.of(room.entry)
    return identity if num_classes is None else identity.with_labels(_numbered(num_classes))


def _numbered(num_classes: int) -> list[str]:
    return [f"class {index}" for index in range(num_classes)]


def package_of(identity: ModelSpec) -> registry.ModelPackage:
    room, _ = registry.find(identity.entry.name)
    return room
