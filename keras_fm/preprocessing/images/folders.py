"""Folders of images."""

import os
from pathlib import Path

from keras_fm.errors import InvalidInputError
from keras_fm.file_errors import unreadable_file

# AVIF and HEIC are among them where Pillow can't read them, too: then a message says so.
IMAGE_SUFFIXES = {
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png",
    ".ppm", ".tif", ".tiff", ".webp",
}  # fmt: skip


def list_images(folder: Path) -> list[Path]:
    """Return the images in a folder and in its folders, sorted, without hidden ones.

    Raises:
        InvalidInputError: There is none, or a folder can't be read.
    """

    def fail(error: OSError) -> None:
        raise InvalidInputError(unreadable_file(error.filename, error, "folder"))

    images: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        paths = [Path(parent, name) for name in names if not name.startswith(".")]
        images += [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise InvalidInputError(f"{folder} holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return sorted(images)
