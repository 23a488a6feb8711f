"""Images of which only a viewer's rules make the right pixels, each with those pixels."""

import io
from typing import Any

import helpers
import numpy as np
from PIL import Image, ImageOps


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Write an image as a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def as_shown(image: Image.Image) -> np.ndarray:
    """Return an image as a viewer shows it, by Pillow: uint8 `[rows, columns, 3]`."""
    background = Image.new("RGBA", ImageOps.exif_transpose(image).size, "white")
    background.alpha_composite(ImageOps.exif_transpose(image).convert("RGBA"))
    return np.asarray(background.convert("RGB"))


def orientation(value: int, order: str = "<") -> Image.Exif:
    """Return EXIF that states an orientation, in a byte order."""
    exif = Image.Exif()
    exif.endian = order
    exif[0x0112] = value
    return exif


def served_files() -> dict[str, tuple[bytes, np.ndarray]]:
    """Return JPEG and PNG files, which a server takes, with what a viewer shows of them."""
    picture = Image.fromarray(helpers.image(5, 3) // 2 + 60).resize(
        (240, 400), Image.Resampling.BICUBIC
    )
    alpha = Image.fromarray(np.arange(400, dtype="uint8")[:, None].repeat(240, 1))
    transparent = picture.copy()
    transparent.putalpha(alpha)
    jpeg_options: Any = {"quality": 95, "subsampling": 0}  # which decoders read alike
    files = {
        **{f"JPEG turned by {n}": encode(picture, "JPEG", exif=orientation(n, ">"), **jpeg_options)
           for n in range(1, 9)},
        "PNG turned": encode(picture, "PNG", exif=orientation(6)),
        "PNG with alpha": encode(transparent, "PNG"),
        "gray PNG with alpha": encode(transparent.convert("LA"), "PNG"),
        "PNG with a transparent color": encode(picture.quantize(8), "PNG", transparency=2),
    }  # fmt: skip
    return {name: (file, as_shown(Image.open(io.BytesIO(file)))) for name, file in files.items()}


def other_images() -> dict[str, tuple[Any, np.ndarray]]:
    """Return files that only Pillow reads, and its images, with what a viewer shows of them."""
    picture = Image.fromarray(helpers.image(40, 24))
    transparent = picture.convert("RGBA")
    transparent.putalpha(Image.fromarray(helpers.image(40, 24)[..., 0]))
    files = {
        "GIF": encode(picture, "GIF"),
        "BMP": encode(picture, "BMP"),
        "BMP with a palette": encode(picture.quantize(64), "BMP"),
        "BMP of two colors": encode(picture.convert("1"), "BMP"),
        "WebP": encode(picture, "WEBP", lossless=True),
        "WebP turned": encode(picture, "WEBP", lossless=True, exif=orientation(8)),
        "TIFF": encode(picture, "TIFF"),
    }
    turned = Image.open(io.BytesIO(encode(picture, "PNG", exif=orientation(5))))
    pillow = {
        "Pillow": picture,
        "Pillow, palette": picture.quantize(64),
        "Pillow, HSV": picture.convert("HSV"),
        "Pillow, transparent": transparent,
        "Pillow, turned": turned,
    }
    shown = {name: as_shown(Image.open(io.BytesIO(file))) for name, file in files.items()}
    shown |= {
        name: np.asarray(image.convert("RGB")) if image.mode == "HSV" else as_shown(image)
        for name, image in pillow.items()
    }
    return {name: (image, shown[name]) for name, image in {**files, **pillow}.items()}
