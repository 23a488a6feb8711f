"""From examples to corrupted ones."""

from dataclasses import replace

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.errors import InvalidInputError
from keras_fm.evaluation.corruptions.images import corrupt_images
from keras_fm.evaluation.corruptions.names import CORRUPTIONS
from keras_fm.evaluation.corruptions.texts import corrupt_texts


def corrupt(examples: Examples, corruption: str, severity: int) -> Examples:
    """Return examples with corrupted inputs, the same each time.

    Args:
        examples: Images or texts.
        corruption: One of `CORRUPTIONS`.
        severity: From 1 to 5.

    Raises:
        InvalidInputError: The images have neither 1 nor 3 channels.
    """
    description = f"{examples.description}, {corruption} of severity {severity}"
    if corruption in CORRUPTIONS["texts"]:
        texts = corrupt_texts(examples.inputs, corruption, severity)
        return replace(examples, inputs=texts, description=description)
    images = np.asarray(examples.inputs)
    if images.shape[-1] not in (1, 3):
        raise InvalidInputError(
            f"corruption={corruption!r}: expected images of 1 or 3 channels; received "
            f"{list(images.shape)}"
        )
    images = corrupt_images(images, corruption, severity)
    return replace(examples, inputs=images, description=description)
