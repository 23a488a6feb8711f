"""What tasks on images share."""

from collections.abc import Sequence

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.errors import DataError


def check_images(examples: Examples, shape: Sequence[int]) -> None:
    """Raise a `DataError` where the inputs are not uint8 images of this shape."""
    images = np.asarray(examples.inputs)
    fits = list(images.shape[1:]) == list(shape) and images.dtype == np.uint8
    if len(images) == 0 or not fits:
        raise DataError(
            f"{examples.description}: expected uint8 images "
            f"[examples, {', '.join(map(str, shape))}]; "
            f"received {images.dtype} {list(images.shape)}"
        )
