"""The names of the corruptions. Without anything slow, for early checks."""

from typing import Any

from keras_fm.errors import InvalidInputError, UnknownNameError, suggest
from keras_fm.options import check_int

SEVERITIES = 5
DEFAULT_SEVERITY = 3

# By the kind of data, as recipes group tasks.
CORRUPTIONS = {
    "images": (
        "gaussian_noise",
        "shot_noise",
        "impulse_noise",
        "gaussian_blur",
        "brightness",
        "contrast",
        "jpeg_compression",
        "pixelate",
    ),
    "texts": ("typos", "case", "negation"),
}


def check_corruption(name: str, group: str | None, corruption: Any, severity: Any) -> int:
    """Return the severity of a corruption; the default where none is said.

    Args:
        name: The name of the model.
        group: Of its data: "images", "texts" or another one.
        corruption: As a user passed it.
        severity: As a user passed it.

    Raises:
        InvalidInputError: The model's data has no corruptions, or there is no such severity.
        UnknownNameError: There is no such corruption.
    """
    if corruption is None:
        if severity is not None:
            raise InvalidInputError(
                f"severity is that of a corruption: name it as well; received {severity!r} alone"
            )
        return DEFAULT_SEVERITY
    known = CORRUPTIONS.get(str(group), ())
    if not known:
        raise InvalidInputError(
            f"corruptions are of images and texts of classifiers; received {corruption!r:.60} for "
            f"{name}"
        )
    if corruption not in known:
        raise UnknownNameError(f"no corruption {corruption!r:.60}. {suggest(corruption, known)}")
    return DEFAULT_SEVERITY if severity is None else check_int("severity", severity, 1, SEVERITIES)
