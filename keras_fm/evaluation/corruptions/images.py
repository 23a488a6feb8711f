"""Corruptions of images: those of Hendrycks and Dietterich 2019 (arXiv:1903.12261).

Names, parameters and definitions are those of the authors' code, compared with
`ImageNet-C/create_c/make_cifar_c.py` (CIFAR-10-C: images of up to 64 pixels a side) and
`make_imagenet_c.py` (ImageNet-C: larger ones) of https://github.com/hendrycks/robustness,
at the commits ca36008 and e0377d4. What differs:
- The random numbers are numpy's `default_rng(0)`, theirs are not seeded: the noise is another one.
- They compute in float64, here it is float32: a value may be rounded down to the one below.
- ImageNet-C is of crops of 224 pixels, saved as JPEG; here an image has its own size, in which a
  blur of so many pixels is more or less of it, and is not saved.
- Images of one channel are corrupted as they are; theirs have three.
Blurs by defocus, glass, motion and zoom, snow, frost, fog, spatter, elastic transforms, saturation
and speckle noise are not here: many need pictures or libraries of their own.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

# By severity, 1 to 5: of CIFAR-10-C, and of ImageNet-C.
_PARAMETERS = {
    "gaussian_noise": ((0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)),
    "shot_noise": ((500, 250, 100, 75, 50), (60, 25, 12, 5, 3)),
    "impulse_noise": ((0.01, 0.02, 0.03, 0.05, 0.07), (0.03, 0.06, 0.09, 0.17, 0.27)),
    "gaussian_blur": ((0.4, 0.6, 0.7, 0.8, 1.0), (1, 2, 3, 4, 6)),
    "brightness": ((0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5)),
    "contrast": ((0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)),
    "jpeg_compression": ((80, 65, 58, 50, 40), (25, 18, 15, 10, 7)),
    "pixelate": ((0.95, 0.9, 0.85, 0.75, 0.65), (0.6, 0.5, 0.4, 0.3, 0.25)),
}
_LARGEST_SMALL = 64  # pixels a side
_CHUNK = 500  # images that are float at a time


def corrupt_images(images: np.ndarray, corruption: str, severity: int) -> np.ndarray:
    """Return images with a corruption, the same each time.

    Args:
        images: uint8 `[images, rows, columns, channels]`, of 1 or 3 channels.
        corruption: One of `names.CORRUPTIONS["images"]`.
        severity: From 1 to 5.
    """
    is_large = max(images.shape[1:3]) > _LARGEST_SMALL
    parameter = _PARAMETERS[corruption][is_large][severity - 1]
    random = np.random.default_rng(0)
    corrupted = [
        _FUNCTIONS[corruption](images[start : start + _CHUNK], parameter, random)
        for start in range(0, len(images), _CHUNK)
    ]
    return np.concatenate(corrupted)


def _of_floats(
    function: Callable[[np.ndarray, float, np.random.Generator], np.ndarray],
) -> Callable[[np.ndarray, float, np.random.Generator], np.ndarray]:
    """Return a function of uint8 images from one of floats from 0 to 1."""

    def corrupt(images: np.ndarray, parameter: float, random: np.random.Generator) -> np.ndarray:
        corrupted = function(images.astype("float32") / 255, parameter, random)
        return (corrupted.clip(0, 1) * 255).astype("uint8")

    return corrupt


def _gaussian_noise(x: np.ndarray, scale: float, random: np.random.Generator) -> np.ndarray:
    return x + random.normal(scale=scale, size=x.shape)


def _shot_noise(x: np.ndarray, photons: float, random: np.random.Generator) -> np.ndarray:
    return random.poisson(x * photons) / photons


def _impulse_noise(x: np.ndarray, amount: float, random: np.random.Generator) -> np.ndarray:
    """Make some values 0 or 1, half of them each."""
    draw = random.random(x.shape)
    return np.where(draw < amount, (draw < amount / 2).astype("float32"), x)


def _gaussian_blur(x: np.ndarray, sigma: float, random: np.random.Generator) -> np.ndarray:
    return gaussian_filter(x, (0, sigma, sigma, 0), mode="nearest")


def _brightness(x: np.ndarray, added: float, random: np.random.Generator) -> np.ndarray:
    """Add to the value of HSV, which leaves hue and saturation: all channels are scaled."""
    value = x.max(axis=-1, keepdims=True)
    brighter = (value + added).clip(0, 1)
    return np.where(value > 0, x * brighter / np.where(value > 0, value, 1), brighter)


def _contrast(x: np.ndarray, factor: float, random: np.random.Generator) -> np.ndarray:
    means = x.mean(axis=(1, 2), keepdims=True)
    return (x - means) * factor + means


def _jpeg(image: Image.Image, quality: float) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=int(quality))
    return Image.open(stream)


def _pixelate(image: Image.Image, factor: float) -> Image.Image:
    columns, rows = image.size
    small = (max(1, int(columns * factor)), max(1, int(rows * factor)))
    return image.resize(small, Image.Resampling.BOX).resize(image.size, Image.Resampling.BOX)


def _of_pillow(
    function: Callable[[Image.Image, float], Image.Image],
) -> Callable[[np.ndarray, float, np.random.Generator], np.ndarray]:
    """Return a function of uint8 images from one of an image of Pillow."""

    def corrupt(images: np.ndarray, parameter: float, random: np.random.Generator) -> np.ndarray:
        pixels = images[..., 0] if images.shape[-1] == 1 else images
        corrupted = [np.asarray(function(Image.fromarray(image), parameter)) for image in pixels]
        return np.stack(corrupted).reshape(images.shape)

    return corrupt


_FUNCTIONS = {
    "gaussian_noise": _of_floats(_gaussian_noise),
    "shot_noise": _of_floats(_shot_noise),
    "impulse_noise": _of_floats(_impulse_noise),
    "gaussian_blur": _of_floats(_gaussian_blur),
    "brightness": _of_floats(_brightness),
    "contrast": _of_floats(_contrast),
    "jpeg_compression": _of_pillow(_jpeg),
    "pixelate": _of_pillow(_pixelate),
}
