"""Small pictures for TensorBoard and the model cards, drawn with numpy and Pillow."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def image_grid(images: np.ndarray, columns: int, zoom: int = 2) -> np.ndarray:
    """Lays uint8 images `[count, height, width, channels]` out in rows; one uint8 image."""
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, height, width, channels), np.uint8)
    sheet[:count] = images
    sheet = sheet.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    sheet = sheet.reshape(rows * height, columns * width, channels)
    return sheet.repeat(zoom, axis=0).repeat(zoom, axis=1)


def overlay_heatmap(image: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """An image, grey, under its scores: red above 0, blue below; uint8 `[rows, columns, 3]`.

    Args:
        image: uint8 `[rows, columns, 3]`. scores: `[rows, columns]`; the largest is full colour.
    """
    grey = image.mean(axis=-1, keepdims=True)
    share = (np.abs(scores) / max(np.abs(scores).max(), 1e-9))[..., None]
    colour = np.where(scores[..., None] > 0, [255, 40, 0], [0, 80, 255])
    return (grey + 0.7 * share * (colour - grey)).astype("uint8")


def prediction_density(
    truth: np.ndarray, answers: np.ndarray, *, log: bool = False, bins: int = 60, zoom: int = 6
) -> np.ndarray:
    """Draws how often which quantity (upwards) was answered for which (to the right).

    One uint8 picture `[rows, columns, 1]`, darker where there are more; the diagonal is right.
    """
    pair = np.stack([truth, answers]).astype("float64")
    if log:
        pair = np.log(pair)
    ends = np.percentile(pair, [0.5, 99.5])
    truth, answers = np.clip(pair, *ends)
    counts, _, _ = np.histogram2d(truth, answers, bins=bins, range=[ends, ends])
    share = np.sqrt(counts / max(counts.max(), 1))  # the root shows the rare ones too
    picture = (255 * (1 - share)).astype("uint8").T[::-1, :, None]
    return picture.repeat(zoom, axis=0).repeat(zoom, axis=1)


def plot_confusion_matrix(counts: np.ndarray, labels: Sequence[str], cell: int = 44) -> np.ndarray:
    """Draws how often class `row` was called class `column`; one uint8 RGB image.

    Args:
        counts: `[classes, classes]`, whole numbers.
        labels: the classes' names. cell: pixels a cell.
    """
    font = ImageFont.load_default(size=cell * 0.3)
    margin = 20 + int(max(font.getlength(label) for label in labels))
    side = margin + cell * len(labels)
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, label in enumerate(labels):
        middle = margin + cell * row + cell // 2
        draw.text((margin - 8, middle), label, "black", font, anchor="rm")
        column_label = Image.new("RGB", (margin, cell), "white")
        ImageDraw.Draw(column_label).text((8, cell // 2), label, "black", font, anchor="lm")
        image.paste(column_label.rotate(90, expand=True), (margin + cell * row, 0))
        for column in range(len(labels)):
            left, top = margin + cell * column, margin + cell * row
            # The root shows rare confusions that a linear scale would leave white.
            shade = 255 - int(225 * np.sqrt(share[row, column]))
            draw.rectangle((left, top, left + cell - 2, top + cell - 2), (shade, shade, 255))
            ink = "white" if shade < 120 else "black"
            centre = (left + cell // 2, top + cell // 2)
            draw.text(centre, f"{int(counts[row, column])}", ink, font, anchor="mm")
    return np.asarray(image)
