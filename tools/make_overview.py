"""Draws the picture of the README: explained photos, and generated images.

    python tools/make_overview.py

On the left, test images of CIFAR-10 that are in the package, each next to itself under the heatmap
of `keras_fm.explain("cifar_cnn", ...)`; on the right, images of `keras_fm.pipeline("gan")`, a row
for each class.
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import keras_fm
from keras_fm import data
from keras_fm.tasks.pictures import image_grid

FILE = Path(__file__).parents[1] / "docs" / "images" / "overview.png"
HEIGHT = 400  # pixels
GAP = 16
PHOTOS, INDEX = ("dog", "ship", "bird", "automobile"), 3
SEEDS = range(10)


def explained_photos() -> Image.Image:
    """Return the fourth image of some classes in the sample, in rows of two pairs."""
    sample, labels = data.sample("cifar10"), keras_fm.info("cifar_cnn").labels
    images = [sample.inputs[sample.targets == labels.index(label)][INDEX] for label in PHOTOS]
    with tempfile.TemporaryDirectory() as folder:
        file = keras_fm.explain("cifar_cnn", np.stack(images)).save(Path(folder) / "sheet.png")
        sheet = Image.open(file).convert("RGB")
    half = sheet.height // 2
    both = Image.new("RGB", (2 * sheet.width, half))
    both.paste(sheet.crop((0, 0, sheet.width, half)), (0, 0))
    both.paste(sheet.crop((0, half, sheet.width, sheet.height)), (sheet.width, 0))
    return both


def generated_images() -> Image.Image:
    generate = keras_fm.pipeline("gan")
    labels = keras_fm.info("gan").labels
    images = [p["image"] for label in labels for p in (generate(label, seed=s)[0] for s in SEEDS)]
    return Image.fromarray(image_grid(np.stack(images), columns=len(SEEDS)).squeeze()).convert(
        "RGB"
    )


def main() -> None:
    parts = [explained_photos(), generated_images()]
    parts = [part.resize((part.width * HEIGHT // part.height, HEIGHT)) for part in parts]
    width = sum(part.width for part in parts) + GAP
    picture = Image.new("RGB", (width, HEIGHT), "white")
    picture.paste(parts[0], (0, 0))
    picture.paste(parts[1], (parts[0].width + GAP, 0))
    FILE.parent.mkdir(exist_ok=True)
    picture.save(FILE, optimize=True)
    print(FILE)


if __name__ == "__main__":
    main()
