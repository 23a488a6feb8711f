"""Draws a small picture of what each model does, for the README's table and the cards.

    python tools/make_pictures.py [MODEL ...]

Of a classifier of images, test images above the heatmaps of `keras_fm.explain`; of a classifier of
texts, a sentence tinted by it; of a language model, what it writes; of a generator, an image of
each class; of a regression, predictions over targets. The images and rows are of the bundled
samples. The picture has the digest of the weights that it shows, by which a test finds an old one.
"""

import argparse
from pathlib import Path

import numpy as np
from model_card import WEIGHTS_DIGEST, picture_of
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

import keras_fm
from keras_fm import data
from keras_fm.registry.entry import Entry
from keras_fm.tasks.pictures import image_grid, overlay_heatmap, prediction_density

ROOT = Path(__file__).parents[1]
SIZE = WIDTH, HEIGHT = 200, 100  # pixels
NUM_IMAGES = 4  # of a classifier: two rows of them fill the picture
NUM_GENERATED = 10
FONT_SIZE, LINE_HEIGHT, MARGIN = 13, 18, 5
SENTENCE = "a slow start , but then a wonderful film with a great cast and a bad title"
PROMPTS = {"char_lstm": "ROMEO:", "char_lstm_reviews": "This film"}
LENGTH, TEMPERATURE, SEED = 120, 0.6, 0


def explained_images(entry: Entry) -> Image.Image:
    """Return test images of different classes, their heatmaps below."""
    sample = data.sample(entry.dataset)
    indices = [int(np.flatnonzero(sample.targets == label)[0]) for label in range(NUM_IMAGES)]
    explained = keras_fm.explain(entry.name, sample.inputs[indices]).attributions
    images = [np.broadcast_to(x.image, (*x.image.shape[:2], 3)) for x in explained]
    heatmaps = [
        overlay_heatmap(image, x.scores) for image, x in zip(images, explained, strict=True)
    ]
    grid = image_grid(np.stack([*images, *heatmaps]), columns=NUM_IMAGES)
    return Image.fromarray(grid).resize(SIZE, Image.Resampling.LANCZOS)


def explained_text(entry: Entry) -> Image.Image:
    """Return a sentence with each word tinted: green for the prediction, red against it."""
    [explained] = keras_fm.explain(entry.name, [SENTENCE]).attributions
    largest = float(np.abs(explained.scores).max())
    picture, draw, font = _blank()
    x, y = MARGIN, MARGIN
    for word, score in zip(explained.features, explained.scores / largest, strict=True):
        width = int(font.getlength(word)) + 6
        if x + width > WIDTH - MARGIN:
            x, y = MARGIN, y + LINE_HEIGHT
        tint = np.array([80, 180, 80] if score > 0 else [230, 90, 80])
        color = tuple(int(value) for value in 255 - abs(score) * (255 - tint))
        draw.rectangle((x, y, x + width - 2, y + LINE_HEIGHT - 2), color)
        draw.text((x + 2, y), word, "black", font)
        x += width
    return picture


def written_text(entry: Entry) -> Image.Image:
    """Return a prompt and its continuation."""
    prompt = PROMPTS.get(entry.name, "The ")
    write = keras_fm.pipeline(entry.name)
    [prediction] = write([prompt], length=LENGTH, temperature=TEMPERATURE, seed=SEED)
    picture, draw, font = _blank()
    y, line = MARGIN, ""
    for word in (prompt + prediction["text"]).replace("\n", " \n ").split(" "):
        if word == "\n" or font.getlength(f"{line} {word}") > WIDTH - 2 * MARGIN:
            draw.text((MARGIN, y), line, "black", font)
            y, line = y + LINE_HEIGHT, ""
        line = f"{line} {word}".strip()
        if y > HEIGHT - LINE_HEIGHT:
            break
    return picture


def generated_images(entry: Entry) -> Image.Image:
    """Return an image of each class."""
    generate = keras_fm.pipeline(entry.name)
    images = [
        prediction["image"] for prediction in generate(entry.labels[:NUM_GENERATED], seed=SEED)
    ]
    grid = image_grid(np.stack(images), columns=NUM_GENERATED // 2)
    return Image.fromarray(grid.squeeze()).resize(SIZE, Image.Resampling.LANCZOS)


def predicted_values(entry: Entry) -> Image.Image:
    """Return how often which value was predicted for which target, on logarithmic axes."""
    sample = data.sample(entry.dataset)
    target = entry.target
    assert target is not None, f"{entry.name} has no target"
    values = [prediction["value"] for prediction in keras_fm.pipeline(entry.name)(sample.inputs)]
    density = prediction_density(sample.targets, np.array(values), log=target.log, bins=40, zoom=2)
    picture = Image.new("L", SIZE, 255)
    square = Image.fromarray(density.squeeze()).resize((HEIGHT - 2, HEIGHT - 2))
    picture.paste(128, (WIDTH // 2 - HEIGHT // 2, 0, WIDTH // 2 + HEIGHT // 2, HEIGHT))
    picture.paste(square, (WIDTH // 2 - HEIGHT // 2 + 1, 1))
    return picture


DRAWN_BY = {
    "image-classification": explained_images,
    "image-generation": generated_images,
    "tabular-regression": predicted_values,
    "text-classification": explained_text,
    "text-generation": written_text,
}


def _blank() -> tuple[Image.Image, ImageDraw.ImageDraw, ImageFont.FreeTypeFont]:
    picture = Image.new("RGB", SIZE, "white")
    font = ImageFont.load_default(size=FONT_SIZE)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return picture, ImageDraw.Draw(picture), font


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="(default: all with weights)")
    names = parser.parse_args().models or keras_fm.list_models(pretrained=True)
    for name in names:
        entry = keras_fm.info(name)
        if entry.task not in DRAWN_BY:
            parser.error(f"{name} is of {entry.task}, which has no picture; see DRAWN_BY")
        info = PngInfo()
        info.add_text(WEIGHTS_DIGEST, entry.weights_of().sha256)
        file = ROOT / picture_of(entry)
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = DRAWN_BY[entry.task](entry).quantize(64)
        picture.save(file, optimize=True, pnginfo=info)
        print(f"{file}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
