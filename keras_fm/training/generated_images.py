"""Images that a generator of the zoo draws, to make a small training set larger."""

import numpy as np

from keras_fm import pipelines, tasks
from keras_fm.data.examples import Examples
from keras_fm.data.user_data import UserData
from keras_fm.errors import DataError, InvalidInputError, suggest
from keras_fm.models import loading
from keras_fm.models.spec import ModelSpec, spec_of


def check_generator(generator: str, identity: ModelSpec) -> None:
    """Refuses a model that draws no images, or knows not all classes of a model that learns.

    Raises:
        InvalidInputError: it is no generator of images, or the other takes none.
        DataError: it does not know a class.
    """
    drawing = spec_of(loading.resolve_model(generator))
    if drawing.entry.output is None or tasks.task_of(identity).recipes != "images":
        raise InvalidInputError(
            "augment_with is a generator of images, for a model of images; received "
            f"{generator!r} for {identity.entry.name!r}"
        )
    for label in identity.labels:
        if label not in drawing.labels:
            raise DataError(f"{generator!r} draws no {label!r}. {suggest(label, drawing.labels)}")


def add_generated(
    examples: Examples, identity: ModelSpec, generator: str, share: float, seed: int
) -> Examples:
    """The examples, and `share` times as many drawn ones of each class, made to fit.

    Args:
        identity: of the model that learns. generator: what draws images of its classes: a name, a
            run directory or a `.keras` file.
        seed: of the images.
    """
    model = loading.resolve_model(generator)
    counts = np.bincount(examples.targets, minlength=len(identity.labels)) * share
    names = np.repeat(identity.labels, np.round(counts).astype(int)).tolist()
    drawn = pipelines.pipeline(model)(names, seed=seed * 2**28)  # each has the next
    images = np.stack([each["image"] for each in drawn])
    added = tasks.task_of(identity).read(UserData((images, names)))
    return Examples(
        np.concatenate([examples.inputs, added.inputs]),
        np.concatenate([examples.targets, added.targets]),
        f"{examples.description}, and {len(names):,} drawn by {generator}",
    )
