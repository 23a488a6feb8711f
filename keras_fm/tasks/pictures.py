"""Small pictures for TensorBoard, explanations and cards, drawn with numpy and Pillow."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def image_grid(images: np.ndarray, columns: int, zoom: int = 2) -> np.ndarray:
    """Lay images out in rows; return one uint8 image, white where the last row is not full.

    Args:
        images: uint8 `[count, height, width, channels]`.
        columns: Images in a row.
        zoom: Pixels for a pixel.
    """
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    grid = np.full((rows * columns, height, width, channels), 255, np.uint8)
    grid[:count] = images
    grid = grid.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    grid = grid.reshape(rows * height, columns * width, channels)
    return grid.repeat(zoom, axis=0).repeat(zoom, axis=1)


def overlay_heatmap(image: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Draw scores over a gray image: red above 0, blue below; return uint8 `[rows, columns, 3]`.

    Args:
        image: uint8 `[rows, columns, 3]`.
        scores: `[rows, columns]`; the largest is full color.
    """
    gray = image.mean(axis=-1, keepdims=True)
    opacity = (np.abs(scores) / max(np.abs(scores).max(), 1e-9))[..., None]
    color = np.where(scores[..., None] > 0, [255, 40, 0], [0, 80, 255])
    return (gray + 0.7 * opacity * (color - gray)).astype("uint8")


def prediction_density(
    targets: np.ndarray, values: np.ndarray, *, log: bool = False, bins: int = 60, zoom: int = 6
) -> np.ndarray:
    """Draw how often which value (upwards) was predicted for which target (to the right).

    Returns:
        A uint8 image `[rows, columns, 1]`, darker where there are more; the diagonal is exact.
    """
    limits = density_limits(targets, values, log=log)
    pair = np.stack([targets, values]).astype("float64")
    targets, values = np.clip(np.log(pair) if log else pair, *limits)
    counts, _, _ = np.histogram2d(targets, values, bins=bins, range=[limits, limits])
    density = np.sqrt(counts / max(counts.max(), 1))  # the root shows the rare ones too
    image = (255 * (1 - density)).astype("uint8").T[::-1, :, None]
    return image.repeat(zoom, axis=0).repeat(zoom, axis=1)


def density_limits(
    targets: np.ndarray, values: np.ndarray, *, log: bool = False
) -> tuple[float, float]:
    """Return the smallest and the largest value that `prediction_density` draws, as it stands.

    They are logarithms with `log`. The few beyond them are drawn at the edge.
    """
    pair = np.stack([targets, values]).astype("float64")
    low, high = np.percentile(np.log(pair) if log else pair, [0.5, 99.5])
    return float(low), float(high)


def plot_confusion_matrix(counts: np.ndarray, labels: Sequence[str], cell: int = 44) -> np.ndarray:
    """Draw how often class `row` was predicted as class `column`; return one uint8 RGB image.

    Args:
        counts: `[classes, classes]`, whole numbers.
        labels: The class names.
        cell: Pixels of a cell.
    """
    font = ImageFont.load_default(size=cell * 0.3)
    title = 2 + int(cell * 0.4)  # a line of text
    label_margin = 20 + int(max(font.getlength(label) for label in labels))
    margin = label_margin + 2 * title
    side = margin + cell * len(labels)
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    total, correct = int(counts.sum()), int(np.trace(counts))
    text = f"{total:,} examples, {correct / max(total, 1):.1%} correct"
    draw.text((4, title // 2), text, "black", font, anchor="lm")
    middle = margin + cell * len(labels) // 2
    draw.text((middle, title + title // 2), "predicted class", "black", font, anchor="mm")
    upward = Image.new("RGB", (side - margin, title), "white")
    center = ((side - margin) // 2, title // 2)
    ImageDraw.Draw(upward).text(center, "true class", "black", font, anchor="mm")
    image.paste(upward.rotate(90, expand=True), (0, margin))
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, label in enumerate(labels):
        middle = margin + cell * row + cell // 2
        draw.text((margin - 8, middle), label, "black", font, anchor="rm")
        column_label = Image.new("RGB", (label_margin, cell), "white")
        ImageDraw.Draw(column_label).text((8, cell // 2), label, "black", font, anchor="lm")
        image.paste(column_label.rotate(90, expand=True), (margin + cell * row, 2 * title))
        for column in range(len(labels)):
            left, top = margin + cell * column, margin + cell * row
            # The root shows rare confusions that a linear scale would leave white.
            shade = 255 - int(225 * np.sqrt(fractions[row, column]))
            draw.rectangle((left, top, left + cell - 2, top + cell - 2), (shade, shade, 255))
            ink = "white" if shade < 120 else "black"
            center = (left + cell // 2, top + cell // 2)
            draw.text(center, f"{int(counts[row, column])}", ink, font, anchor="mm")
    return np.asarray(image)
