"""The orientation of photos, as EXIF states it, in stock TensorFlow ops.

A camera stores the pixels as its sensor lies, and beside them how a viewer is to turn the picture.
Source: CIPA DC-008, "Exchangeable image file format for digital still cameras: Exif", 4.6.
"""

from __future__ import annotations

from keras_fm.lazy_imports import tf
from keras_fm.preprocessing.images.segments import read_bytes

_ORIENTATION, _SHORT = 0x0112, 3
_UPRIGHT, _FIRST_TRANSPOSED, _LAST = 1, 5, 8
_FLIPPED_ROWS, _FLIPPED_COLUMNS = (3, 4, 7, 8), (2, 3, 6, 7)
_HEADER, _ENTRY = 8, 12  # bytes of a TIFF file's header, and of an entry in its directory


def orientation(tiff: tf.Tensor) -> tf.Tensor:
    """Return the orientation that a photo's EXIF states, from 1 to 8.

    Args:
        tiff: The EXIF, a string in TIFF format.

    Returns:
        int32; 1, upright, also where it is broken or states none.
    """
    is_little = tf.strings.substr(tiff, 0, 4) == b"II*\0"
    is_big = tf.strings.substr(tiff, 0, 4) == b"MM\0*"
    return tf.cond(is_little | is_big, lambda: _read_orientation(tiff, is_little), lambda: _UPRIGHT)


def _read_orientation(tiff: tf.Tensor, is_little: tf.Tensor) -> tf.Tensor:
    """Read it from the first directory; the second one is that of the thumbnail."""
    content = tf.cast(tf.io.decode_raw(tiff, tf.uint8), tf.int32)
    size = tf.size(content)

    def numbers(digits: tf.Tensor) -> tf.Tensor:
        """Read unsigned numbers `[...]` from bytes `[..., digits]`; large ones become negative."""
        # A list, reversed here: grappler fails on the graph of a tensor of two numbers reversed.
        weights = [256**power for power in range(digits.shape[-1])]
        return tf.reduce_sum(digits * tf.where(is_little, weights, weights[::-1]), -1)

    start = numbers(read_bytes(tf.strings.substr(tiff, 4, 4), 4))
    start = tf.where((start < _HEADER) | (start > size), size, start)
    count = numbers(read_bytes(tf.strings.substr(tiff, start, 2), 2))
    count = tf.clip_by_value(count, 0, tf.maximum(size - start - 2, 0) // _ENTRY)
    entries = tf.reshape(content[start + 2 : start + 2 + _ENTRY * count], (-1, _ENTRY))
    tag, kind, value = (numbers(entries[:, first : first + 2]) for first in (0, 2, 8))
    is_orientation = (tag == _ORIENTATION) & (kind == _SHORT) & (numbers(entries[:, 4:8]) == 1)
    is_orientation &= value <= _LAST
    return tf.reduce_max(tf.concat([tf.where(is_orientation, value, 0), [_UPRIGHT]], 0))


def turn(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turn a photo as a viewer does.

    Args:
        image: `[rows, columns, channels]`.
        orientation: int32, from 1 to 8.
    """

    def turned() -> tf.Tensor:
        is_transposed = orientation >= _FIRST_TRANSPOSED
        upright = tf.cond(is_transposed, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
        is_flipped = [
            tf.reduce_any(orientation == flipped) for flipped in (_FLIPPED_ROWS, _FLIPPED_COLUMNS)
        ]
        return tf.reverse(upright, tf.where(is_flipped)[:, 0])

    return tf.cond(orientation == _UPRIGHT, lambda: image, turned)
