"""The recipe fields of image augmentation."""

from typing import Any, Literal

from keras_fm.registry.recipe import BelowOne, NonNegative, Positive, Recipe


class AugmentationRecipe(Recipe, frozen=True, kw_only=True):
    """Adds the augmentation of images.

    Attributes:
        flip: Mirrors each image: with probability 1/2 (`"random"`), or in every second epoch
            (`"alternating"`).
        random_translation: The largest shift, in pixels.
        cutout: The side of the square that is painted over, in pixels.
        image_sizes: The sides that images are scaled to during training, in pixels; none for their
            own.
        image_size_starts: The fraction of all epochs from which each of `image_sizes` is used.
    """

    flip: Literal["none", "random", "alternating"] = "none"
    random_translation: NonNegative = 0
    cutout: NonNegative = 0
    image_sizes: list[Positive] = []
    image_size_starts: list[BelowOne] = []

    def __post_init__(self) -> None:
        """Check the sizes against their starts."""
        super().__post_init__()
        starts = self.image_size_starts
        if (
            len(self.image_sizes) != len(starts)
            or starts != sorted(starts)
            or starts[:1] not in ([], [0.0])
        ):
            raise ValueError(
                "field 'image_size_starts': expected one rising fraction for each of the sizes "
                f"{self.image_sizes}, the first 0.0; received {starts}"
            )

    @property
    def augments(self) -> bool:
        """Whether an image differs from epoch to epoch."""
        return bool(
            self.flip != "none" or self.random_translation or self.cutout or self.image_sizes
        )

    @property
    def build_options(self) -> dict[str, Any]:
        """An input of any size, where images grow during training."""
        return {"image_size": None} if self.image_sizes else {}

    def image_size(self, epoch: int) -> int | None:
        """Return the side of the images in an epoch, in pixels; None for their own."""
        started = [
            size
            for size, start in zip(self.image_sizes, self.image_size_starts, strict=True)
            if start <= epoch / self.epochs
        ]
        return started[-1] if started else None
