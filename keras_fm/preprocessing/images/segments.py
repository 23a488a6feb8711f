"""Segments of JPEG and PNG files before the pixels, read in stock TensorFlow ops."""

from __future__ import annotations

from collections.abc import Callable

from keras_fm.lazy_imports import tf

# Ten are usual, and a color profile can have some more.
MAX_SEGMENTS = 100

_EXIF_SIGNATURE = b"Exif\0\0"
_PADDING = 16  # bytes behind the file, so that a header can be read anywhere

# From a file and where a segment starts to where the next one starts, whether it is the last one to
# look at, and what it holds, if it is the wanted one.
_Step = Callable[["tf.Tensor", "tf.Tensor"], tuple["tf.Tensor", "tf.Tensor", "tf.Tensor"]]


def jpeg_exif(file: tf.Tensor) -> tf.Tensor:
    """Return the EXIF of a JPEG file, a string in TIFF format; empty where it has none.

    Args:
        file: The file, a string.
    """

    def step(padded: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        sign, marker, high, low = tf.unstack(read_bytes(tf.strings.substr(padded, start, 4), 4))
        size = 256 * high + low
        is_exif = (marker == 0xE1) & (tf.strings.substr(padded, start + 4, 6) == _EXIF_SIGNATURE)
        is_last = (sign != 0xFF) | (marker == 0xDA) | (marker == 0xD9)
        content = tf.strings.substr(padded, start + 10, tf.maximum(size - 8, 0))
        is_fill = marker == 0xFF  # any number of them may stand before a marker
        return (
            start + tf.where(is_fill, 1, 2 + size),
            is_exif | is_last,
            tf.where(is_exif, content, ""),
        )

    return _walk(file, 2, step)


def png_chunk(file: tf.Tensor, kind: bytes) -> tf.Tensor:
    """Return the content of a PNG file's chunk before its pixels; empty where it has none.

    Args:
        file: The file, a string.
        kind: Four letters.
    """

    def step(padded: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        digits = read_bytes(tf.strings.substr(padded, start, 4), 4)
        size = tf.reduce_sum(digits * [2**24, 2**16, 2**8, 1])
        name = tf.strings.substr(padded, start + 4, 4)
        is_last = (name == b"IDAT") | (size < 0) | (size > tf.strings.length(padded))
        size = tf.where(is_last, 0, size)
        content = tf.strings.substr(padded, start + 8, size)
        is_wanted = name == kind
        return start + 12 + size, is_wanted | is_last, tf.where(is_wanted, content, "")

    return _walk(file, 8, step)


def read_bytes(text: tf.Tensor, count: int) -> tf.Tensor:
    """Return the first bytes of a string as int32 `[count]`; zeros behind its end."""
    return tf.cast(tf.io.decode_raw([text], tf.uint8, fixed_length=count)[0], tf.int32)


def _walk(file: tf.Tensor, start: int, step: _Step) -> tf.Tensor:
    """Return the content of the first wanted segment; `start` is that of the first one."""
    padded = tf.strings.join([file, b"\0" * _PADDING])
    length = tf.strings.length(file)
    _, _, content = tf.while_loop(
        lambda start, is_done, content: ~is_done & (start < length),
        lambda start, is_done, content: step(padded, start),
        (tf.constant(start), tf.constant(False), tf.constant("")),
        maximum_iterations=MAX_SEGMENTS,
    )
    return content
