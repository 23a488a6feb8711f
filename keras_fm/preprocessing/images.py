"""From what a user has to what an image model takes: one way for `pipeline` and for the exports.

Stock TensorFlow ops, also where Keras runs on another backend, so that the served model answers
what the pipeline answered, pixel by pixel.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing import graph_checks, image_inputs

# Of a file that is sent to a server: a picture in 8K has as many pixels. Decoded it takes a
# hundred megabytes, three hundred if it is a progressive JPEG, and up to `AT_ONCE` files do.
MAX_PIXELS = 2**25
MAX_SCANS = 50  # of a JPEG, where ten are usual; thirty bytes more let it be decoded once more
PARALLEL_DECODES = 4

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_SCAN = 0xFF, 0xDA


def crop_and_resize(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Cuts the middle out of images at the model's aspect ratio and scales it to the model's size.

    Antialiased bilinear scaling; images of the model's own size keep their exact values.

    Args:
        images: `[..., rows, columns, channels]`, any numeric dtype, 0..255.

    Returns:
        float32 `[..., height, width, channels]`, 0..255.
    """
    rows, columns = tf.shape(images)[-3], tf.shape(images)[-2]
    kept_rows = tf.minimum(rows, tf.maximum(1, columns * height // width))
    kept_columns = tf.minimum(columns, tf.maximum(1, rows * width // height))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    middle = images[..., top : top + kept_rows, left : left + kept_columns, :]
    return tf.image.resize(middle, (height, width), antialias=True)


def decode_image(image_bytes: tf.Tensor, channels: int) -> tf.Tensor:
    """One JPEG, PNG, GIF or BMP file as uint8 `[rows, columns, channels]`: 3, or 1 for grey."""
    # Always as RGB first: the decoders' own ways to grey differ, and GIF and BMP have none.
    image = tf.io.decode_image(image_bytes, channels=3, expand_animations=False)
    return convert_channels(tf.ensure_shape(image, (None, None, 3)), channels)


def decode_files(image_bytes: tf.Tensor, height: int, width: int, channels: int) -> tf.Tensor:
    """JPEG and PNG files that somebody sends, decoded and made to fit.

    GIF, of which a small file holds any number of large images, is not among them.

    Args:
        image_bytes: string `[batch]`.

    Returns:
        float32 `[batch, height, width, channels]`, 0..255.

    Raises:
        tf.errors.InvalidArgumentError: one of them is broken, or decodes to more than
            `MOST_PIXELS`; which row. There is no answer to the others then: a status beside the
            answers would be an answer to who does not look at it, and an array needs some numbers
            where the row's are missing. What is wrong inside a JPEG can't be told, for it has no
            check sums.
    """
    count = tf.size(image_bytes, tf.int64)

    def read(row: tf.Tensor, file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.Assert(_is_bounded(file), ["too large"])]):
            image = decode_image(tf.identity(file), channels)
        return row, crop_and_resize(image, height, width)

    # Nothing else in a graph goes on behind an error, and so can say where it was. The first
    # image is none: there is a batch, also where no file is left.
    blank = tf.constant(-1, tf.int64), tf.zeros((height, width, channels))
    files = tf.data.Dataset.from_tensor_slices((tf.range(count), image_bytes))
    whole = files.map(read, num_parallel_calls=PARALLEL_DECODES).ignore_errors()
    images = tf.data.Dataset.from_tensors(blank).concatenate(whole)
    rows, batch = images.batch(count + 1).get_single_element()
    return graph_checks.assert_rows(
        batch[1:],
        tf.scatter_nd(rows[1:, None], tf.ones_like(rows[1:]), [count]) == 1,
        "image_bytes",
        f"a whole JPEG or PNG file of at most {MAX_PIXELS:,} pixels",
        lambda: tf.strings.join([graph_checks.as_text(tf.strings.length(image_bytes)), " bytes"]),
    )


def _is_bounded(file: tf.Tensor) -> tf.Tensor:
    """Whether a file is a JPEG or PNG that takes no more to decode than a photograph does."""

    def png() -> tf.Tensor:
        words = tf.io.decode_raw([file], tf.int32, little_endian=False, fixed_length=24)[0]
        return tf.reduce_prod(tf.cast(words[4:], tf.int64)) <= MAX_PIXELS

    def jpeg() -> tf.Tensor:
        rows, columns, _ = tf.unstack(tf.image.extract_jpeg_shape(file, tf.int64))
        content = tf.io.decode_raw(file, tf.uint8)
        scans = (content[:-1] == _SCAN[0]) & (content[1:] == _SCAN[1])
        few = tf.math.count_nonzero(scans) <= MAX_SCANS
        return (rows * columns <= MAX_PIXELS) & few

    def starts_with(sign: bytes) -> tf.Tensor:
        return tf.strings.substr(file, 0, len(sign)) == sign

    return tf.cond(
        starts_with(_PNG),
        png,
        lambda: tf.cond(starts_with(_JPEG), jpeg, lambda: tf.constant(False)),
    )


def check_pixels(image: tf.Tensor) -> tf.Tensor:
    """The images `[batch, rows, columns, channels]` as they are, none with others than 0..255.

    Raises:
        tf.errors.InvalidArgumentError: which row has others, or NaN.
    """
    axes = [1, 2, 3]

    def extent() -> tf.Tensor:
        least, most = (
            graph_checks.as_text(reduce(image, axes)) for reduce in (tf.reduce_min, tf.reduce_max)
        )
        return tf.strings.join([least, " to ", most])

    return graph_checks.assert_rows(
        image,
        tf.reduce_all((image >= 0) & (image <= 255), axes),
        "image",
        "numbers from 0 to 255",
        extent,
    )


def convert_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """An image `[rows, columns, 1 or 3]` in grey (1) or colour (3), of the same dtype."""
    if image.shape[-1] == channels:
        return image
    convert = tf.image.rgb_to_grayscale if channels == 1 else tf.image.grayscale_to_rgb
    return convert(image)


def load_images(inputs: Any, height: int, width: int, channels: int) -> np.ndarray:
    """Reads images of any kind and size into one batch, float32, 0..255.

    Args:
        inputs: one image or several: a path, the bytes of a file, or an array
            `[rows, columns, 3 or 1 or nothing]`; a 4-dimensional array is a batch.
        channels: 3 for colour, 1 for grey; images of the other kind are converted.

    Returns:
        `[count, height, width, channels]`.

    Raises:
        InvalidInputError: nothing was given, or something is not an image.
    """
    images = [
        convert_channels(tf.constant(_decoded(content, place)), channels)
        for place, content in image_inputs.read_images(inputs)
    ]
    return np.stack([crop_and_resize(image, height, width).numpy() for image in images])


def _decoded(content: bytes | np.ndarray, place: str) -> np.ndarray:
    if not isinstance(content, bytes):
        return content
    try:
        return decode_image(content, channels=3).numpy()
    except tf.errors.InvalidArgumentError:
        raise InvalidInputError(
            f"{place} is not an image that can be read: {len(content):,} bytes that are no whole "
            "JPEG, PNG, GIF or BMP file"
        ) from None
