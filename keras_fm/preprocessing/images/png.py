"""PNG files, which may be transparent, decoded in stock TensorFlow ops."""

from __future__ import annotations

from keras_fm.lazy_imports import tf
from keras_fm.preprocessing.images import segments

_COLOR_TYPE, _COLOR_TYPES_WITH_ALPHA = 25, (4, 6)  # its byte in the file, and values


def decode_png(file: tf.Tensor) -> tf.Tensor:
    """Decode a PNG file to RGB, uint8 `[rows, columns, 3]`, composited on white.

    Args:
        file: The file, a string.
    """
    color_type = segments.read_bytes(file, _COLOR_TYPE + 1)[-1]
    has_alpha = tf.reduce_any(color_type == _COLOR_TYPES_WITH_ALPHA)
    has_transparent_color = segments.png_chunk(file, b"tRNS") != b""
    return tf.cond(
        has_alpha | has_transparent_color,
        lambda: _composite_on_white(tf.io.decode_png(file, channels=4)),
        lambda: tf.io.decode_png(file, channels=3),
    )


def _composite_on_white(image: tf.Tensor) -> tf.Tensor:
    """Composite RGBA, uint8 `[..., 4]`, as `pillow.composite_on_white` does."""

    def composite() -> tf.Tensor:
        alpha = tf.cast(image[..., 3:], tf.uint16)
        white = 255 * (255 - alpha) + 127
        return tf.cast((tf.cast(image[..., :3], tf.uint16) * alpha + white) // 255, tf.uint8)

    return tf.cond(tf.reduce_all(image[..., 3] == 255), lambda: image[..., :3], composite)
