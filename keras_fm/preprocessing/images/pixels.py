"""Pixels in stock TensorFlow ops: center crop and resizing, channels, and checks of a request."""

from __future__ import annotations

from keras_fm.lazy_imports import tf
from keras_fm.preprocessing import graph_checks


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


def position_before(
    position: tuple[int, int], shape: tuple[int, int], original_shape: tuple[int, int]
) -> tuple[int, int]:
    """Return where a pixel of a cropped and resized image was before, its center.

    Args:
        position: The row and the column, from 0 on, in what `crop_and_resize` returned.
        shape: Its height and width.
        original_shape: Those of the image before.
    """
    row, column = (
        int(start + (index + 0.5) * length / size)
        for index, size, (start, length) in zip(
            position, shape, center_crop(shape, original_shape), strict=True
        )
    )
    return row, column


def center_crop(
    shape: tuple[int, int], original_shape: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return what `crop_and_resize` takes of an image: of rows and columns, the first and how many.

    Args:
        shape: The height and width of the model's images.
        original_shape: Those of the image.
    """
    (height, width), (rows, columns) = shape, original_shape
    crop_rows = min(rows, max(1, columns * height // width))
    crop_columns = min(columns, max(1, rows * width // height))
    return ((rows - crop_rows) // 2, crop_rows), ((columns - crop_columns) // 2, crop_columns)


def convert_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """Convert an image `[rows, columns, 1 or 3]` to grayscale (1) or RGB (3), of the same dtype."""
    if image.shape[-1] == channels:
        return image
    convert = tf.image.rgb_to_grayscale if channels == 1 else tf.image.grayscale_to_rgb
    return convert(image)


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
