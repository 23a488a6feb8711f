"""Pictures of explained images: each photo beside its scores, in its own size, with a legend."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_fm.explanation.attribution import Attribution
from keras_fm.explanation.wording import title_of
from keras_fm.preprocessing.images.loading import Photo
from keras_fm.preprocessing.images.pixels import center_crop
from keras_fm.tasks.pictures import overlay_heatmap

_MIN_SIDE = 256  # smaller images are enlarged, by whole pixels
_GAP = 8  # pixels between what stands side by side
_LINE = 24  # of text
_BAR = 12  # the height of a legend's colors
_FONT_SIZE = 14


def draw_images(
    attributions: Sequence[Attribution], method: str, max_side: int | None = None
) -> np.ndarray:
    """Draw images below each other, each beside the same under its scores.

    Args:
        attributions: Of images.
        method: How they were computed, for the titles.
        max_side: Pixels of the longer side that larger photos are reduced to; None for none.

    Returns:
        uint8 RGB `[rows, columns, 3]`.
    """
    drawn = [_draw(attribution, method, max_side) for attribution in attributions]
    height, width = sum(image.height for image in drawn), max(image.width for image in drawn)
    canvas = Image.new("RGB", (width, height), "white")
    top = 0
    for image in drawn:
        canvas.paste(image, (0, top))
        top += image.height
    return np.asarray(canvas)


def _draw(attribution: Attribution, method: str, max_side: int | None) -> Image.Image:
    photo, scores = _photo_and_scores(attribution)
    overlay = overlay_heatmap(photo, scores)
    panels = [_fit(Image.fromarray(array), max_side) for array in (photo, overlay)]
    width, height = panels[0].size
    canvas = Image.new("RGB", (2 * width + _GAP, _LINE + height + _BAR + _LINE + _GAP), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=_FONT_SIZE)
    title = title_of(attribution, method)
    while font.getlength(title) > canvas.width and len(title) > 1:
        title = f"{title[:-2]}…"
    draw.text((0, _LINE / 2), title, "black", font, anchor="lm")
    for index, panel in enumerate(panels):
        canvas.paste(panel, (index * (width + _GAP), _LINE))
    _draw_legend(draw, attribution, font, left=width + _GAP, top=_LINE + height + 4, width=width)
    return canvas


def _photo_and_scores(attribution: Attribution) -> tuple[np.ndarray, np.ndarray]:
    """Return the photo, uint8 RGB, and the scores of its pixels: 0 where the model sees nothing."""
    shape = (attribution.scores.shape[0], attribution.scores.shape[1])
    if attribution.photo is None or attribution.photo.size == shape:
        image = np.broadcast_to(np.asarray(attribution.image), (*shape, 3))
        return image, attribution.scores
    photo: Photo = attribution.photo
    (top, rows), (left, columns) = center_crop(shape, photo.size)
    small = Image.fromarray(attribution.scores.astype("float32"))
    scores = np.zeros(photo.size, "float32")
    scores[top : top + rows, left : left + columns] = small.resize(
        (columns, rows), Image.Resampling.BILINEAR
    )
    return photo.pixels(), scores


def _fit(image: Image.Image, max_side: int | None) -> Image.Image:
    """Enlarge a small image by whole pixels; reduce one that is larger than it may be."""
    side = max(image.size)
    if max_side is not None and side > max_side:
        image = image.copy()
        image.thumbnail((max_side, max_side))
        return image
    factor = max(1, _MIN_SIDE // side)
    size = (image.width * factor, image.height * factor)
    return image.resize(size, Image.Resampling.NEAREST)


def _draw_legend(
    draw: ImageDraw.ImageDraw,
    attribution: Attribution,
    font: "ImageFont.ImageFont | ImageFont.FreeTypeFont",
    *,
    left: int,
    top: int,
    width: int,
) -> None:
    """Draw the colors from the lowest score to the highest one, with what they mean."""
    largest = float(np.abs(attribution.scores).max())
    low = -largest if attribution.scores.min() < 0 else 0.0
    ramp = np.broadcast_to(np.linspace(low, largest, width), (_BAR, width))
    colors = overlay_heatmap(np.full((_BAR, width, 3), 255, "uint8"), ramp)
    for index, color in enumerate(colors[0]):
        draw.line((left + index, top, left + index, top + _BAR - 1), tuple(map(int, color)))
    bottom = top + _BAR + 4
    lowest = f"{low:.3g} against" if low else "0"
    draw.text((left, bottom), lowest, "black", font, anchor="lt")
    draw.text((left + width, bottom), f"for {largest:+.3g}", "black", font, anchor="rt")
