"""Decoding of JPEG and PNG files in stock TensorFlow ops.

`pipeline` and the exports share it, also where Keras runs on another backend, so that a served
model sees the same pixels.
"""

from __future__ import annotations

from keras_fm.lazy_imports import tf
from keras_fm.preprocessing import graph_checks
from keras_fm.preprocessing.images import exif, pillow, png, segments
from keras_fm.preprocessing.images.inputs import JPEG_SIGNATURE, PNG_SIGNATURE
from keras_fm.preprocessing.images.pixels import convert_channels, crop_and_resize

# Of a file in a request. Decoded it takes a hundred megabytes, three hundred if it is a progressive
# JPEG, five hundred if it is transparent, and up to `PARALLEL_DECODES` files do at a time.
MAX_PIXELS = pillow.MAX_PIXELS
MAX_SCANS = 50  # of a JPEG, where ten are usual; each takes thirty bytes and one more decoding
PARALLEL_DECODES = 4

_PNG_START = PNG_SIGNATURE + b"\0\0\0\rIHDR"
_SCAN_MARKER = 0xFF, 0xDA


def decode_image(image_bytes: tf.Tensor, channels: int) -> tf.Tensor:
    """Decode a JPEG or PNG file to uint8 `[rows, columns, channels]`, as a viewer shows it.

    A photo is turned by its EXIF orientation. What is transparent is composited on white.

    Args:
        image_bytes: The file, a string.
        channels: 3 for RGB, 1 for grayscale.
    """
    # Always as RGB first: the decoders convert to grayscale differently.
    image, tiff = tf.cond(
        _starts_with(image_bytes, PNG_SIGNATURE),
        lambda: (
            png.decode_png(image_bytes),
            segments.png_chunk(image_bytes, b"eXIf"),
        ),
        lambda: (tf.io.decode_jpeg(image_bytes, 3), segments.jpeg_exif(image_bytes)),
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

    is_jpeg = _starts_with(file, JPEG_SIGNATURE)
    return tf.cond(
        _starts_with(file, _PNG_START),
        is_small_png,
        lambda: tf.cond(is_jpeg, is_small_jpeg, lambda: tf.constant(False)),
    )
