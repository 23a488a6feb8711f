"""The data sets: TensorFlow Datasets in memory, and the samples that ship with the package."""

import socket
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies

import numpy as np

from keras_fm.errors import DataError, UnknownNameError, suggest

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

SAMPLE = "sample"


@dataclass(frozen=True)
class Examples:
    """Labelled images in memory.

    images: uint8, `[examples, height, width, channels]`. labels: int64, `[examples]`.
    origin: which data set and split they are, in words.
    """

    images: np.ndarray
    labels: np.ndarray
    origin: str

    def __len__(self) -> int:
        return len(self.images)

    def take(self, which: slice | np.ndarray, origin: str) -> "Examples":
        """Some of the examples; `origin` says which."""
        return Examples(self.images[which], self.labels[which], origin)


def load(dataset: str, split: str) -> Examples:
    """One split of a TFDS data set, whole and in its stored order, or the bundled sample.

    Args:
        dataset: TFDS name, such as `"cifar10"`. TFDS's own `TFDS_DATA_DIR` says where it lies.
        split: a split of it, or `"sample"`: a few hundred test examples that ship with the package.

    Raises:
        DataError: the data is not on this machine and can't be downloaded.
        UnknownNameError: the data set has no such split.
    """
    return sample(dataset) if split == SAMPLE else _load_tfds(dataset, split)


def cut_validation(whole: Examples, count: int) -> tuple[Examples, Examples | None]:
    """Cuts the last `count` examples off, to choose on; None where `count` is 0."""
    if count == 0:
        return whole, None
    cut = len(whole) - count
    if cut <= 0:
        raise DataError(
            f"validation_examples is {count:,}, but {whole.origin} has only {len(whole):,} "
            "examples; leave some to train on"
        )
    return (
        whole.take(slice(cut), f"{whole.origin}, first {cut:,}"),
        whole.take(slice(cut, None), f"{whole.origin}, last {count:,}"),
    )


def check(examples: Examples, shape: tuple[int | None, ...], num_classes: int) -> None:
    """Checks that a model for images of `shape` with `num_classes` labels can take the examples.

    Raises:
        DataError: it can't; the sentence says what was received.
    """
    if not isinstance(examples, Examples):
        raise DataError(
            f"expected keras_fm.data.Examples(images, labels, origin); received "
            f"{type(examples).__name__}"
        )
    images, labels = np.asarray(examples.images), np.asarray(examples.labels)
    fits = images.ndim == 4 and all(
        wanted in (None, given) for wanted, given in zip(shape, images.shape[1:], strict=True)
    )
    if len(images) == 0 or not fits or images.dtype != np.uint8:
        raise DataError(
            f"{examples.origin}: expected uint8 images [examples, {', '.join(map(str, shape))}]; "
            f"received {images.dtype} {list(images.shape)}"
        )
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise DataError(
            f"{examples.origin}: expected one whole number for each of the {len(images)} images as "
            f"labels; received {labels.dtype} {list(labels.shape)}"
        )
    if labels.min() < 0 or labels.max() >= num_classes:
        raise DataError(
            f"{examples.origin}: expected labels from 0 to {num_classes - 1}; received "
            f"{labels.min()} to {labels.max()}"
        )


def is_prepared(dataset: str) -> bool:
    """Whether the whole data set lies on this machine."""
    return bool(_builder(dataset).is_prepared())


@cache
def sample(dataset: str) -> Examples:
    """The bundled sample: some hundred test examples, chosen by `tools/make_samples.py`."""
    file = resources.files("keras_fm") / "samples" / f"{dataset}.npz"
    if not file.is_file():
        names = {path.name for path in (resources.files("keras_fm") / "samples").iterdir()}
        known = {name.removesuffix(".npz") for name in names if name.endswith(".npz")}
        raise UnknownNameError(f"no bundled sample of {dataset!r}. {suggest(dataset, known)}")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    return Examples(images, labels, f"bundled sample of {len(images)} {dataset} test images")


@cache
def _load_tfds(dataset: str, split: str) -> Examples:
    import tensorflow_datasets as tfds

    builder = _builder(dataset)
    if not builder.is_prepared():
        try:
            _check_network(builder)
            builder.download_and_prepare()
        except Exception as error:
            raise DataError(
                f"the data set {dataset!r} is not in {builder.data_dir} and could not be "
                f"downloaded ({type(error).__name__}). Set TFDS_DATA_DIR to a folder that holds "
                "it, or connect to the network; the bundled sample needs neither "
                f"(split={SAMPLE!r})"
            ) from error
    if split not in builder.info.splits:
        known = [*builder.info.splits, SAMPLE]
        raise UnknownNameError(f"{dataset!r} has no split {split!r}. {suggest(split, known)}")
    # batch_size=-1 is one batch with everything: 50,000 CIFAR images are 154 MB.
    arrays = tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1, shuffle_files=False))
    return Examples(arrays["image"], arrays["label"], f"{dataset} {split}")


def _check_network(builder: "DatasetBuilder") -> None:
    """Fails at once where there is no network: TFDS would try again for three minutes."""
    if getproxies():
        return  # the proxy knows the names, this machine need not
    for url in builder.url_infos:
        socket.getaddrinfo(urlsplit(url).hostname, None)


@cache
def _builder(dataset: str) -> "DatasetBuilder":
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(dataset)
    except tfds.core.DatasetNotFoundError:
        raise UnknownNameError(f"TensorFlow Datasets has no data set {dataset!r}") from None
