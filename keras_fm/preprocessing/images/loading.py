"""Raw images of any kind and size to one batch in memory, as `pipeline` and training take them."""

import functools
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_fm.errors import InvalidInputError
from keras_fm.lazy_imports import tf
from keras_fm.preprocessing.images.decoding import decode_image
from keras_fm.preprocessing.images.inputs import PNG_SIGNATURE, list_items, read_image
from keras_fm.preprocessing.images.pixels import convert_channels, crop_and_resize

_TRACING = threading.Lock()
# Others become float32, which has all of their values from 0 to 255.
_RESIZED_DTYPES = (
    "uint8", "int8", "uint16", "int16", "int32", "int64", "float16", "float32", "float64",
)  # fmt: skip


def load_images(inputs: Any, height: int, width: int, channels: int) -> np.ndarray:
    """Load images of any kind and size into one batch, float32, 0..255.

    Args:
        inputs: One image or several, as `read_images` takes them.
        height: Of the model's images.
        width: Of the model's images.
        channels: 3 for RGB, 1 for grayscale; other images are converted.

    Returns:
        `[images, height, width, channels]`.

    Raises:
        InvalidInputError: There is no image, or an item is not an image.
    """
    images, _ = load_photos(inputs, height, width, channels)
    return images


@dataclass(frozen=True)
class Photo:
    """An image as it was before it was cropped and resized.

    Attributes:
        size: Its rows and columns.
        content: The bytes of its file, which take little memory, or an array.
        name: What messages call it.
    """

    size: tuple[int, int]
    content: bytes | np.ndarray = field(repr=False)
    name: str

    def pixels(self) -> np.ndarray:
        """Return it as uint8 RGB `[rows, columns, 3]`."""
        pixels = _to_array(self.content, self.name).round().clip(0, 255).astype("uint8")
        return np.broadcast_to(pixels, (*self.size, 3))


def load_photos(
    inputs: Any, height: int, width: int, channels: int
) -> tuple[np.ndarray, list[Photo]]:
    """Load the same, and each image as it was before it was cropped and resized."""
    images, photos = [], []
    # One after the other: the files themselves may not fit into memory together.
    for index, item in enumerate(list_items(inputs)):
        name, content = read_image(item, index)
        array = _to_array(content, name)
        images.append(_fit(array, height, width, channels))
        photos.append(Photo(array.shape[:2], content, name))
    return np.stack(images), photos


def load_image(item: Any, index: int, height: int, width: int, channels: int) -> np.ndarray:
    """Load one image, float32 `[height, width, channels]`, 0..255.

    Args:
        item: As one of `load_images`.
        index: Among the images, for messages.
        height: Of the model's images.
        width: Of the model's images.
        channels: 3 for RGB, 1 for grayscale.
    """
    name, content = read_image(item, index)
    return _fit(_to_array(content, name), height, width, channels)


def _fit(array: np.ndarray, height: int, width: int, channels: int) -> np.ndarray:
    image = convert_channels(tf.constant(array), channels)
    return crop_and_resize(image, height, width).numpy()


def _to_array(content: bytes | np.ndarray, name: str) -> np.ndarray:
    if not isinstance(content, bytes):
        return content if content.dtype.name in _RESIZED_DTYPES else content.astype("float32")
    try:
        with _TRACING:
            decode = _rgb_decoder()
        return decode(tf.constant(content)).numpy()
    except tf.errors.InvalidArgumentError:
        kind = "PNG" if content.startswith(PNG_SIGNATURE) else "JPEG"
        raise InvalidInputError(
            f"{name} is not an image that can be read: {len(content):,} bytes that are no whole "
            f"{kind} file"
        ) from None


@functools.cache
def _rgb_decoder() -> Any:
    """Return `decode_image` to RGB as a graph, for its many small operations.

    One concrete function: each thread would trace a `tf.function` again.
    """
    decoder = tf.function(functools.partial(decode_image, channels=3))
    return decoder.get_concrete_function(tf.TensorSpec((), tf.string))
