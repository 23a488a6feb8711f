"""Plots and captioned grids of images, drawn with Pillow: axes, titles, values."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_fm.tasks import pictures

_FONT_SIZE = 14
_BOTTOM = 60  # pixels below a plot, for its axis
_PAD = 34  # above it for the title, and on the right
_BINS = 10
_SIDE = 360
_BLUE, _GRAY, _WHITE = (70, 110, 200), (150, 150, 150), (255, 255, 255)
_TOKEN, _TOKEN_WIDTH = 14, 90  # pixels of a token in a map of attention, and of its name at most


def frame_plot(
    image: np.ndarray,
    limits: tuple[float, float],
    title: str,
    x_label: str,
    y_label: str,
    *,
    scale: Callable[[float], float] = float,
) -> np.ndarray:
    """Draw axes around a square image, whose origin is its lower left corner.

    Args:
        image: uint8 `[side, side, 1 or 3]`.
        limits: Of both axes.
        title: Above the plot.
        x_label: Below it.
        y_label: To its left, from below.
        scale: From a value of an axis to what is written there.

    Returns:
        uint8 `[rows, columns, 3]`.
    """
    side = len(image)
    font = ImageFont.load_default(size=_FONT_SIZE)
    fractions = (0, 0.25, 0.5, 0.75, 1)
    ticks = [_number(scale(limits[0] + part * (limits[1] - limits[0]))) for part in fractions]
    left = 28 + int(max(font.getlength(tick) for tick in ticks))
    canvas = Image.new("RGB", (left + side + _PAD, _PAD + side + _BOTTOM), "white")
    plot = Image.fromarray(np.broadcast_to(image, (side, side, 3)).astype("uint8"))
    canvas.paste(plot, (left, _PAD))
    draw = ImageDraw.Draw(canvas)
    bottom = _PAD + side
    draw.rectangle((left - 1, _PAD - 1, left + side, bottom), outline="black")
    for fraction, tick in zip(fractions, ticks, strict=True):
        x, y = left + fraction * side, bottom - fraction * side
        draw.line((x, bottom, x, bottom + 4), "black")
        draw.line((left - 4, y, left, y), "black")
        draw.text((x, bottom + 6), tick, "black", font, anchor="mt")
        draw.text((left - 6, y), tick, "black", font, anchor="rm")
    draw.text((left, _PAD // 2), title, "black", font, anchor="lm")
    draw.text((left + side / 2, bottom + _BOTTOM - 18), x_label, "black", font, anchor="mm")
    upward = Image.new("RGB", (side, 16), "white")
    ImageDraw.Draw(upward).text((side / 2, 8), y_label, "black", font, anchor="mm")
    canvas.paste(upward.rotate(90, expand=True), (0, _PAD))
    return np.asarray(canvas)


def plot_predictions(targets: np.ndarray, values: np.ndarray, *, log: bool = False) -> np.ndarray:
    """Draw how often which value was predicted for which target; return one uint8 RGB image.

    Args:
        targets: `[examples]`.
        values: The predictions, `[examples]`.
        log: Whether both axes are logarithmic.
    """
    density = pictures.prediction_density(targets, values, log=log)
    limits = pictures.density_limits(targets, values, log=log)
    image = np.repeat(density, 3, axis=-1)
    steps = np.arange(len(image))
    image[len(image) - 1 - steps, steps] = _BLUE  # where predictions are exact
    title = f"{len(targets):,} examples; blue: prediction = target"
    return frame_plot(
        image,
        limits,
        title,
        "target" + " (log scale)" * log,
        "prediction" + " (log scale)" * log,
        scale=lambda value: float(np.exp(value)) if log else value,
    )


def plot_reliability(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Draw the accuracy by the probability of the predicted class; return one uint8 RGB image.

    Args:
        probabilities: `[examples, classes]`.
        targets: The classes, `[examples]`.
    """
    confidence = probabilities.max(-1)
    correct = probabilities.argmax(-1) == targets
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    canvas = Image.new("RGB", (_SIDE, _SIDE), "white")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=11)
    width, error = _SIDE / _BINS, 0.0
    for index in range(_BINS):
        mask = bins == index
        if not mask.any():
            continue
        accuracy = correct[mask].mean()
        error += mask.mean() * abs(accuracy - confidence[mask].mean())
        left, top = index * width, _SIDE * (1 - accuracy)
        draw.rectangle((left + 1, top, left + width - 2, _SIDE), _BLUE)
        ink = "white" if accuracy > 0.1 else "black"
        draw.text((left + width / 2, _SIDE - 10), f"{mask.sum()}", ink, font, anchor="mm")
    draw.line((0, _SIDE, _SIDE, 0), _GRAY, 2)
    title = f"{len(targets):,} examples; expected calibration error {error:.3f}"
    x_label = "probability of the predicted class (numbers: examples)"
    return frame_plot(np.asarray(canvas), (0, 1), title, x_label, "accuracy")


def plot_attention(weights: np.ndarray, tokens: Sequence[str], title: str) -> np.ndarray:
    """Draw how much each token attends to each token; return one uint8 RGB image.

    Args:
        weights: `[from, to]`, not negative.
        tokens: Of the text, in its order.
        title: Above the map.
    """
    font = ImageFont.load_default(size=11)
    names = [_cut(token, font, _TOKEN_WIDTH) for token in tokens]
    margin = 12 + int(max(font.getlength(name) for name in names))
    side, top = _TOKEN * len(names), _PAD + margin
    shares = np.sqrt(weights / max(weights.max(), 1e-9))[..., None]
    cells = np.array(_WHITE) + shares * (np.array(_BLUE) - np.array(_WHITE))
    pixels = cells.round().astype("uint8").repeat(_TOKEN, axis=0).repeat(_TOKEN, axis=1)
    size = (margin + max(side, int(font.getlength(title))) + _PAD, top + side + _BOTTOM)
    canvas = Image.new("RGB", size, "white")
    canvas.paste(Image.fromarray(pixels), (margin, top))
    columns = Image.new("RGB", (margin, side), "white")  # written as rows, then turned
    draw, turned = ImageDraw.Draw(canvas), ImageDraw.Draw(columns)
    for index, name in enumerate(names):
        middle = index * _TOKEN + _TOKEN / 2
        draw.text((margin - 6, top + middle), name, "black", font, anchor="rm")
        turned.text((6, middle), name, "black", font, anchor="lm")
    canvas.paste(columns.rotate(90, expand=True), (margin, _PAD))
    draw.text((margin, _PAD // 2), title, "black", font, anchor="lm")
    legend = f"rows attend to columns; darkest: {weights.max():.2f}"
    draw.text((margin, top + side + 18), legend, "black", font, anchor="lm")
    return np.asarray(canvas)


def caption_grid(
    images: np.ndarray, captions: Sequence[str], columns: int, cell: int = 96
) -> np.ndarray:
    """Lay images out in rows, each with a caption below it; return one uint8 RGB image.

    Args:
        images: uint8 `[count, height, width, channels]`.
        captions: Lines of text for each image; those that are too wide are cut.
        columns: Images in a row.
        cell: Pixels of the longer side of an image.
    """
    font = ImageFont.load_default(size=12)
    num_lines = max(caption.count("\n") + 1 for caption in captions)
    width, height = cell + 8, cell + 15 * num_lines + 8
    rows = -(-len(images) // columns)
    canvas = Image.new("RGB", (columns * width, rows * height), "white")
    draw = ImageDraw.Draw(canvas)
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = index % columns * width + 4, index // columns * height + 4
        canvas.paste(_zoomed(image, cell), (left, top))
        for line, text in enumerate(caption.split("\n")):
            draw.text((left, top + cell + 2 + 15 * line), _cut(text, font, cell), "black", font)
    return np.asarray(canvas)


def label_rows(image: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Write names to the left of an image's rows, all of the same height; return uint8 RGB."""
    row = len(image) // len(names)
    font = ImageFont.load_default(size=min(_FONT_SIZE, row))
    margin = 12 + int(max(font.getlength(name) for name in names))
    canvas = Image.new("RGB", (margin + image.shape[1], len(image)), "white")
    canvas.paste(Image.fromarray(np.broadcast_to(image, (*image.shape[:2], 3))), (margin, 0))
    draw = ImageDraw.Draw(canvas)
    for index, name in enumerate(names):
        draw.text((margin - 6, row * index + row / 2), name, "black", font, anchor="rm")
    return np.asarray(canvas)


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"


def _zoomed(image: np.ndarray, side: int) -> Image.Image:
    """Return an image as RGB, its longer side as long as wanted."""
    picture = Image.fromarray(np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3))))
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX)


def _cut(text: str, font: "ImageFont.ImageFont | ImageFont.FreeTypeFont", width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
