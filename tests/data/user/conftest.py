"""Images of a user."""

import helpers
import pytest
from user_data import CLASS_NAMES


@pytest.fixture
def photos(tmp_path):
    """Four images a class: JPEG, PNG, gray, with alpha; large, small and not square."""
    folder = tmp_path / "photos"
    for number, label in enumerate(CLASS_NAMES):
        (folder / label).mkdir(parents=True)
        for seed, (file_format, mode, height, width) in enumerate(
            [("JPEG", None, 40, 50), ("PNG", None, 32, 32), ("PNG", "L", 20, 90),
             ("PNG", "RGBA", 64, 33)]
        ):  # fmt: skip
            pixels = helpers.image(height, width, seed + 10 * number)
            file = folder / label / f"{seed}.{'jpg' if file_format == 'JPEG' else 'png'}"
            file.write_bytes(helpers.encode(pixels, file_format, mode))
    return folder
