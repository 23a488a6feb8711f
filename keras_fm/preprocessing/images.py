"""Preprocessing of images in stock TensorFlow ops: decoding, center crop and resizing.

`pipeline` and the exports share it, also where Keras runs on another backend, so that a served
model sees the same pixels.
"""

import functools
import threading
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing import (
    exif,
    file_segments,
    graph_checks,
    image_inputs,
    pillow_images,
    png_decoding,
)

# Of a file in a request. Decoded it takes a hundred megabytes, three hundred if it is a progressive
# JPEG, five hundred if it is transparent, and up to `PARALLEL_DECODES` files do at a time.
MAX_PIXELS = pillow_images.MAX_PIXELS
MAX_SCANS = 50  # of a JPEG, where ten are usual; each takes thirty bytes and one more decoding
PARALLEL_DECODES = 4

_PNG_START = image_inputs.PNG_SIGNATURE + b"\0\0\0\rIHDR"
_SCAN_MARKER = 0xFF, 0xDA
_TRACING = threading.Lock()
# Others become float32, which has all of their values from 0 to 255.
_RESIZED_DTYPES = (
    "uint8", "int8", "uint16", "int16", "int32", "int64", "float16", "float32", "float64",
)  # fmt: skip


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
    """Decode a JPEG or PNG file to uint8 `[rows, columns, channels]`, as a viewer shows it.

    A photo is turned by its EXIF orientation. What is transparent is composited on white.

    Args:
        image_bytes: The file, a string.
        channels: 3 for RGB, 1 for grayscale.
    """
    # Always as RGB first: the decoders convert to grayscale differently.
    image, tiff = tf.cond(
        _starts_with(image_bytes, image_inputs.PNG_SIGNATURE),
        lambda: (
            png_decoding.decode_png(image_bytes),
            file_segments.png_chunk(image_bytes, b"eXIf"),
        ),
        lambda: (tf.io.decode_jpeg(image_bytes, 3), file_segments.jpeg_exif(image_bytes)),
    )
    image = exif.turn(tf.ensure_shape(image, (None, None, 3)), exif.orientation(tiff))
    return convert_channels(tf.ensure_shape(image, (None, None, 3)), channels)


def _starts_with(file: tf.Tensor, signature: bytes) -> tf.Tensor:
    return tf.strings.substr(file, 0, len(signature)) == signature


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

    is_jpeg = _starts_with(file, image_inputs.JPEG_SIGNATURE)
    return tf.cond(
        _starts_with(file, _PNG_START),
        is_small_png,
        lambda: tf.cond(is_jpeg, is_small_jpeg, lambda: tf.constant(False)),
    )


def check_pixels(image: tf.Tensor) -> tf.Tensor:
    """Return images `[batch, rows, columns, channels]` in a graph, if all values are 0..255.

    Raises:
        tf.errors.InvalidArgumentError: It names the first row with other values, or NaN; or with
            values scaled to 0..1, which as values 0..255 would be black.
    """
    low, high = tf.reduce_min(image, [1, 2, 3]), tf.reduce_max(image, [1, 2, 3])

    def value_range() -> tf.Tensor:
        return tf.strings.join([graph_checks.as_text(low), " to ", graph_checks.as_text(high)])

    checks = [
        (tf.reduce_all((image >= 0) & (image <= 255), [1, 2, 3]), "numbers from 0 to 255"),
        ((high <= 0) | (high > 1), "numbers from 0 to 255, which are those of 0 to 1 by 255"),
    ]
    for condition, expected in checks:
        image = graph_checks.assert_rows(image, condition, "image", expected, value_range)
    return image


def convert_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """Convert an image `[rows, columns, 1 or 3]` to grayscale (1) or RGB (3), of the same dtype."""
    if image.shape[-1] == channels:
        return image
    convert = tf.image.rgb_to_grayscale if channels == 1 else tf.image.grayscale_to_rgb
    return convert(image)


def load_images(inputs: Any, height: int, width: int, channels: int) -> np.ndarray:
    """Load images of any kind and size into one batch, float32, 0..255.

    Args:
        inputs: One image or several, as `image_inputs.read_images` takes them.
        height: Of the model's images.
        width: Of the model's images.
        channels: 3 for RGB, 1 for grayscale; other images are converted.

    Returns:
        `[images, height, width, channels]`.

    Raises:
        InvalidInputError: There is no image, or an item is not an image.
    """
    return np.stack(
        [
            _fit(content, name, height, width, channels)
            for name, content in image_inputs.read_images(inputs)
        ]
    )


def load_image(item: Any, index: int, height: int, width: int, channels: int) -> np.ndarray:
    """Load one image, float32 `[height, width, channels]`, 0..255.

    Args:
        item: As one of `load_images`.
        index: Among the images, for messages.
        height: Of the model's images.
        width: Of the model's images.
        channels: 3 for RGB, 1 for grayscale.
    """
    name, content = image_inputs.read_image(item, index)
    return _fit(content, name, height, width, channels)


def _fit(
    content: bytes | np.ndarray, name: str, height: int, width: int, channels: int
) -> np.ndarray:
    image = convert_channels(tf.constant(_to_array(content, name)), channels)
    return crop_and_resize(image, height, width).numpy()


def _to_array(content: bytes | np.ndarray, name: str) -> np.ndarray:
    if not isinstance(content, bytes):
        return content if content.dtype.name in _RESIZED_DTYPES else content.astype("float32")
    try:
        with _TRACING:
            decode = _rgb_decoder()
        return decode(tf.constant(content)).numpy()
    except tf.errors.InvalidArgumentError:
        kind = "PNG" if content.startswith(image_inputs.PNG_SIGNATURE) else "JPEG"
        raise InvalidInputError(
            f"{name} is not an image that can be read: {len(content):,} bytes that are no whole "
            f"{kind} file"
        ) from None


@functools.cache
def _rgb_decoder() -> Any:
    """Return `decode_image` to RGB as a graph, which takes a tenth of the time.

    One concrete function: a `tf.function` is traced anew in other threads.
    """
    decoder = tf.function(functools.partial(decode_image, channels=3))
    return decoder.get_concrete_function(tf.TensorSpec((), tf.string))
