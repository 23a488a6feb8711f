"""Preprocessing of images in stock TensorFlow ops: decoding, center crop and resizing.

`pipeline` and the exports share it, also where Keras runs on another backend, so that a served
model sees the same pixels.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing import graph_checks, image_inputs

# Of a file in a request: a photo in 8K has as many pixels. Decoded it takes a hundred megabytes,
# three hundred if it is a progressive JPEG, and up to `PARALLEL_DECODES` files do at a time.
MAX_PIXELS = 2**25
MAX_SCANS = 50  # of a JPEG, where ten are usual; each takes thirty bytes and one more decoding
PARALLEL_DECODES = 4

_JPEG_SIGNATURE, _PNG_SIGNATURE = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_SCAN_MARKER = 0xFF, 0xDA


def crop_and_resize(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Crop the center of images at the model's aspect ratio, and resize it to the model's size.

    Antialiased bilinear resizing; images of the model's own size keep their exact values.

    Args:
        images: `[..., rows, columns, channels]`, any numeric dtype, 0..255.
        height: Of the model's images.
        width: Of the model's images.

    Returns:
        float32 `[..., height, width, channels]`, 0..255.
    """
    rows, columns = tf.shape(images)[-3], tf.shape(images)[-2]
    crop_rows = tf.minimum(rows, tf.maximum(1, columns * height // width))
    crop_columns = tf.minimum(columns, tf.maximum(1, rows * width // height))
    top, left = (rows - crop_rows) // 2, (columns - crop_columns) // 2
    center = images[..., top : top + crop_rows, left : left + crop_columns, :]
    return tf.image.resize(center, (height, width), antialias=True)


def decode_image(image_bytes: tf.Tensor, channels: int) -> tf.Tensor:
    """Decode a JPEG, PNG, GIF or BMP file to uint8 `[rows, columns, channels]`.

    Args:
        image_bytes: The file, a string.
        channels: 3 for RGB, 1 for grayscale.
    """
    # Always as RGB first: the decoders convert to grayscale differently, and GIF and BMP don't.
    image = tf.io.decode_image(image_bytes, channels=3, expand_animations=False)
    return convert_channels(tf.ensure_shape(image, (None, None, 3)), channels)


def decode_files(image_bytes: tf.Tensor, height: int, width: int, channels: int) -> tf.Tensor:
    """Decode JPEG and PNG files of a request, crop and resize them.

    GIF, of which a small file holds any number of large images, is not among them.

    Args:
        image_bytes: The files, strings `[batch]`.
        height: Of the model's images.
        width: Of the model's images.
        channels: Of the model's images.

    Returns:
        float32 `[batch, height, width, channels]`, 0..255.

    Raises:
        tf.errors.InvalidArgumentError: A file is broken, or decodes to more than `MAX_PIXELS`; it
            names the row. Then the whole batch has no result: a client could overlook a status
            beside the outputs, and the row would need made-up outputs. Damage inside a JPEG goes
            unnoticed, for it has no checksums.
    """
    count = tf.size(image_bytes, tf.int64)

    def load(row: tf.Tensor, file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.Assert(_is_bounded(file), ["too large"])]):
            image = decode_image(tf.identity(file), channels)
        return row, crop_and_resize(image, height, width)

    # Only a `tf.data` pipeline goes on behind an error in a graph, and so can say where it was. The
    # blank image comes first, so that there is a batch even where no file can be decoded.
    blank = tf.constant(-1, tf.int64), tf.zeros((height, width, channels))
    files = tf.data.Dataset.from_tensor_slices((tf.range(count), image_bytes))
    decoded = files.map(load, num_parallel_calls=PARALLEL_DECODES).ignore_errors()
    images = tf.data.Dataset.from_tensors(blank).concatenate(decoded)
    rows, batch = images.batch(count + 1).get_single_element()
    return graph_checks.assert_rows(
        batch[1:],
        tf.scatter_nd(rows[1:, None], tf.ones_like(rows[1:]), [count]) == 1,
        "image_bytes",
        f"a whole JPEG or PNG file of at most {MAX_PIXELS:,} pixels",
        lambda: tf.strings.join([graph_checks.as_text(tf.strings.length(image_bytes)), " bytes"]),
    )


def _is_bounded(file: tf.Tensor) -> tf.Tensor:
    """Compute whether a file is a JPEG or PNG that takes no more to decode than a photo does."""

    def is_small_png() -> tf.Tensor:
        header = tf.io.decode_raw([file], tf.int32, little_endian=False, fixed_length=24)[0]
        return tf.reduce_prod(tf.cast(header[4:], tf.int64)) <= MAX_PIXELS

    def is_small_jpeg() -> tf.Tensor:
        rows, columns, _ = tf.unstack(tf.image.extract_jpeg_shape(file, tf.int64))
        content = tf.io.decode_raw(file, tf.uint8)
        is_scan = (content[:-1] == _SCAN_MARKER[0]) & (content[1:] == _SCAN_MARKER[1])
        has_few_scans = tf.math.count_nonzero(is_scan) <= MAX_SCANS
        return (rows * columns <= MAX_PIXELS) & has_few_scans

    def starts_with(signature: bytes) -> tf.Tensor:
        return tf.strings.substr(file, 0, len(signature)) == signature

    return tf.cond(
        starts_with(_PNG_SIGNATURE),
        is_small_png,
        lambda: tf.cond(starts_with(_JPEG_SIGNATURE), is_small_jpeg, lambda: tf.constant(False)),
    )


def check_pixels(image: tf.Tensor) -> tf.Tensor:
    """Return images `[batch, rows, columns, channels]` in a graph, if all values are 0..255.

    Raises:
        tf.errors.InvalidArgumentError: It names the first row with other values, or NaN.
    """
    axes = [1, 2, 3]

    def value_range() -> tf.Tensor:
        low, high = (
            graph_checks.as_text(reduce(image, axes)) for reduce in (tf.reduce_min, tf.reduce_max)
        )
        return tf.strings.join([low, " to ", high])

    return graph_checks.assert_rows(
        image,
        tf.reduce_all((image >= 0) & (image <= 255), axes),
        "image",
        "numbers from 0 to 255",
        value_range,
    )


def convert_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """Convert an image `[rows, columns, 1 or 3]` to grayscale (1) or RGB (3), of the same dtype."""
    if image.shape[-1] == channels:
        return image
    convert = tf.image.rgb_to_grayscale if channels == 1 else tf.image.grayscale_to_rgb
    return convert(image)


def load_images(inputs: Any, height: int, width: int, channels: int) -> np.ndarray:
    """Load images of any kind and size into one batch, float32, 0..255.

    Args:
        inputs: One image or several: a path, the bytes of a file, or an array
            `[rows, columns, 3 or 1 or nothing]`; a 4-dimensional array is a batch.
        height: Of the model's images.
        width: Of the model's images.
        channels: 3 for RGB, 1 for grayscale; other images are converted.

    Returns:
        `[images, height, width, channels]`.

    Raises:
        InvalidInputError: There is no image, or an item is not an image.
    """
    images = [
        convert_channels(tf.constant(_to_array(content, name)), channels)
        for name, content in image_inputs.read_images(inputs)
    ]
    return np.stack([crop_and_resize(image, height, width).numpy() for image in images])


def _to_array(content: bytes | np.ndarray, name: str) -> np.ndarray:
    if not isinstance(content, bytes):
        return content
    try:
        return decode_image(content, channels=3).numpy()
    except tf.errors.InvalidArgumentError:
        raise InvalidInputError(
            f"{name} is not an image that can be read: {len(content):,} bytes that are no whole "
            "JPEG, PNG, GIF or BMP file"
        ) from None
