"""Which layers of a model learn: a frozen body keeps what it learned before."""

import keras

from keras_fm import registry
from keras_fm.errors import UnknownNameError, suggest
from keras_fm.models import backbone, building
from keras_fm.models.spec import spec_of


def freeze(model: keras.Model, *, until: str | None = None) -> None:
    """Freezes the layers of a model's body; its head goes on learning.

    A frozen batch normalisation keeps its statistics too: Keras runs it in inference mode. As with
    every change of `trainable`, `compile` the model afterwards.

    Args:
        model: a model of the zoo, or one that `train` or `fine_tune` made.
        until: the last layer to freeze; None: the last one of the body, `embedding`.

    Raises:
        InvalidInputError: the model is none of ours. UnknownNameError: it has no such layer.

    Example:
        >>> model = keras_fm.get("cifar_cnn", num_classes=3)
        >>> keras_fm.freeze(model)
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    """
    for layer in _between(model, None, until or backbone.EMBEDDING_LAYER):
        layer.trainable = False


def unfreeze(model: keras.Model, *, since: str | None = None, batch_norm: bool = False) -> None:
    """Lets the layers learn that learn in the model as it is built; the others stay frozen.

    Args:
        model: as in `freeze`.
        since: the first layer to learn; None: all do.
        batch_norm: whether batch normalisation learns, and follows the statistics of the batches.
            On few examples these throw away what it knows, so it stays frozen unless asked.

    Raises:
        InvalidInputError: the model is none of ours. UnknownNameError: it has no such layer.
    """
    identity = spec_of(model)
    built = building.build(registry.find(identity.entry.name)[0], identity)
    learns = {layer.name: layer.trainable for layer in built.layers}
    for layer in _between(model, since, None):
        frozen = isinstance(layer, keras.layers.BatchNormalization) and not batch_norm
        layer.trainable = learns.get(layer.name, True) and not frozen


def _between(model: keras.Model, first: str | None, last: str | None) -> list[keras.Layer]:
    spec_of(model)
    names = [layer.name for layer in model.layers]
    for name in (first, last):
        if name is not None and name not in names:
            raise UnknownNameError(f"{model.name} has no layer {name!r}. {suggest(name, names)}")
    start = 0 if first is None else names.index(first)
    end = len(names) if last is None else names.index(last) + 1
    return model.layers[start:end]
