"""What a model object is, beside its layers: it carries its identity from room to room."""

from dataclasses import dataclass

import keras

from keras_fm.entry import Entry
from keras_fm.errors import InvalidInputError


@dataclass(frozen=True)
class Identity:
    """The zoo's entry, and the labels of the model's outputs."""

    entry: Entry
    labels: tuple[str, ...]


def mark(model: keras.Model, identity: Identity) -> keras.Model:
    """Lets the model carry its identity into `pipeline`, `evaluate` and `export`."""
    model.keras_fm_identity = identity
    return model


def identify(model: keras.Model) -> Identity:
    """The identity that the model carries.

    Raises:
        InvalidInputError: the model does not come from keras_fm.
    """
    identity = getattr(model, "keras_fm_identity", None)
    if not isinstance(identity, Identity):
        raise InvalidInputError(
            f"expected a model from keras_fm.get, train or fine_tune, which knows its labels; "
            f"received the {type(model).__name__} {getattr(model, 'name', model)!r}"
        )
    return identity
