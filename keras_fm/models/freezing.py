"""Which layers of a model are trained: a frozen backbone keeps its weights."""

import keras

from keras_fm.errors import UnknownNameError, suggest
from keras_fm.models.backbone import EMBEDDING_LAYER
from keras_fm.models.building import build
from keras_fm.models.spec import spec_of


def freeze(model: keras.Model, *, last_layer: str | None = None) -> None:
    """Freeze the layers of a model's backbone; its head stays trainable.

    Frozen batch normalization keeps its moving statistics too: Keras runs it in inference mode. As
    with every change of `trainable`, `compile` the model afterwards.

    Args:
        model: A model of the zoo, or one that `train` or `fine_tune` made.
        last_layer: The last layer to freeze; None for the last one of the backbone, `embedding`.

    Raises:
        InvalidInputError: The model is none of ours.
        UnknownNameError: It has no such layer.

    Example:
        >>> model = keras_fm.get("cifar_cnn", num_classes=3)
        >>> keras_fm.freeze(model)
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    """
    for layer in _between(model, None, last_layer or EMBEDDING_LAYER):
        layer.trainable = False


def unfreeze(
    model: keras.Model, *, first_layer: str | None = None, batch_norm: bool = False
) -> None:
    """Make layers trainable again that are trainable in the model as it is built.

    Args:
        model: As in `freeze`.
        first_layer: The first layer to train; None for all.
        batch_norm: Whether batch normalization is trained, and follows the statistics of the
            batches. On few examples these are worse than the pretrained ones, so it stays frozen by
            default.

    Raises:
        InvalidInputError: The model is none of ours.
        UnknownNameError: It has no such layer.
    """
    trainable = {layer.name: layer.trainable for layer in build(spec_of(model)).layers}
    for layer in _between(model, first_layer, None):
        frozen = isinstance(layer, keras.layers.BatchNormalization) and not batch_norm
        layer.trainable = trainable.get(layer.name, True) and not frozen


def _between(model: keras.Model, first: str | None, last: str | None) -> list[keras.Layer]:
    spec_of(model)
    names = [layer.name for layer in model.layers]
    if last == EMBEDDING_LAYER not in names:
        raise UnknownNameError(
            f"{model.name} has no backbone, no layer {EMBEDDING_LAYER!r}: name the last layer to "
            f"freeze, last_layer=. Known: {', '.join(names)}."
        )
    for name in (first, last):
        if name is not None and name not in names:
            raise UnknownNameError(f"{model.name} has no layer {name!r}. {suggest(name, names)}")
    start = 0 if first is None else names.index(first)
    end = len(names) if last is None else names.index(last) + 1
    return model.layers[start:end]
