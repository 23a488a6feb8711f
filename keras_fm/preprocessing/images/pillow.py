"""Images that Pillow decodes: its own objects, and files that are neither JPEG nor PNG.

Without TensorFlow, as `inputs`, which is where they are read.
"""

import io
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fm.errors import InvalidInputError

if TYPE_CHECKING:
    from PIL import Image

# Of a file: a photo in 8K has as many pixels. Decoded it takes a hundred megabytes.
MAX_PIXELS = 2**25

# Pillow would run another program to draw them, on what may be anybody's file.
_DRAWINGS = "EPS", "WMF"
_GRAY_MODES = "1", "L"
_NUMBER_MODES = "I", "F"
_HEIC_BRANDS = b"heic", b"heix", b"heim", b"hevc", b"hevx", b"mif1", b"msf1"
_HEIC_HINT = (
    "a HEIC file: save it as JPEG, or install pillow-heif and call "
    "pillow_heif.register_heif_opener()"
)


def is_pillow_image(item: Any) -> bool:
    """Return whether it is an image of Pillow, without importing Pillow."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(item, pillow.Image)


def decode_file(content: bytes, name: str) -> np.ndarray:
    """Decode the first frame of a file of any format that Pillow knows.

    Args:
        content: The file.
        name: For messages.

    Returns:
        As `to_array` returns it.

    Raises:
        InvalidInputError: Pillow does not know the format, or the file is broken or too large.
    """
    from PIL import Image, UnidentifiedImageError

    unreadable = f"{name} is not an image that can be read: {len(content):,} bytes"
    try:
        image = Image.open(io.BytesIO(content))
    except UnidentifiedImageError:
        is_heic = content[4:8] == b"ftyp" and content[8:12] in _HEIC_BRANDS
        reason = f" of {_HEIC_HINT}" if is_heic else ", in no format that Pillow knows"
        raise InvalidInputError(f"{unreadable}{reason}") from None
    except Exception as error:  # Pillow's plugins raise anything on broken files.
        raise InvalidInputError(f"{unreadable}; Pillow says: {error}") from None
    if image.format in _DRAWINGS:
        raise InvalidInputError(f"{unreadable} of a drawing ({image.format}): save it as PNG")
    columns, rows = image.size
    if rows * columns > MAX_PIXELS:
        raise InvalidInputError(
            f"{name}: expected at most {MAX_PIXELS:,} pixels; received {columns:,} x {rows:,}"
        )
    try:
        return to_array(image, name)
    except InvalidInputError as error:
        reason = str(error.__cause__ or error)
        raise InvalidInputError(
            f"{unreadable} that are no whole {image.format} file; Pillow says: {reason}"
        ) from None


def to_array(image: "Image.Image", name: str) -> np.ndarray:
    """Convert an image of Pillow, as a viewer shows it.

    It is turned by its EXIF orientation, and composited on white where it is transparent.

    Args:
        image: Of any mode.
        name: For messages.

    Returns:
        uint8 `[rows, columns, 3 or 1]`; of the modes I and F, which hold any numbers, the numbers
        themselves, int32 or float32 `[rows, columns]`.

    Raises:
        InvalidInputError: Pillow can't decode or convert it.
    """
    try:
        return _to_array(_turn(image))
    except Exception as error:  # Pillow's plugins raise anything on broken files.
        raise InvalidInputError(f"{name}: Pillow can't read the image: {error}") from error


def composite_on_white(image: np.ndarray) -> np.ndarray:
    """Composite RGBA, uint8 `[..., 4]`, on white; opaque pixels keep their values.

    `png.decode_png` has the same arithmetic.
    """
    colors, alpha = image[..., :3].astype("uint16"), image[..., 3:].astype("uint16")
    return ((colors * alpha + 255 * (255 - alpha) + 127) // 255).astype("uint8")


def _turn(image: "Image.Image") -> "Image.Image":
    from PIL import ImageOps

    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # A photo whose EXIF is broken is shown as it is.
        return image


def _to_array(image: "Image.Image") -> np.ndarray:
    if image.mode.startswith("I;16"):
        # The high byte, as TensorFlow decodes a PNG of 16 bits.
        return (np.asarray(image) >> 8).astype("uint8")[..., None]
    if image.mode in _NUMBER_MODES:
        return np.asarray(image)
    if image.has_transparency_data:
        straight = image.convert("LA") if image.mode == "La" else image
        return composite_on_white(np.asarray(straight.convert("RGBA")))
    if image.mode in _GRAY_MODES:
        return np.asarray(image.convert("L"))[..., None]
    return np.asarray(image.convert("RGB"))
