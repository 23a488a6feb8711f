"""The data sets: TensorFlow Datasets in memory, and the samples that ship with the package."""

import socket
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import numpy as np

from keras_fm.data.examples import Examples, characters
from keras_fm.errors import DataError, UnknownNameError, suggest
from keras_fm.store.downloads import is_offline

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

SAMPLE = "sample"


def load(dataset: str, split: str) -> Examples:
    """One split of a TFDS data set, whole and in its stored order, or the bundled sample.

    Args:
        dataset: TFDS name, such as `"cifar10"`. TFDS's own `TFDS_DATA_DIR` says where it lies.
        split: a split of it, such as `"test"`, `"train[:90%]"` or `"validation+test"`; or
            `"sample"`: a few hundred test examples that ship with the package.

    Raises:
        DataError: the data is not on this machine and can't be downloaded.
        UnknownNameError: the data set has no such split.
    """
    return sample(dataset) if split == SAMPLE else _load_tfds(dataset, split)


def is_prepared(dataset: str) -> bool:
    """Whether the whole data set lies on this machine."""
    return bool(builder(dataset).is_prepared())


def prepared(dataset: str) -> "DatasetBuilder":
    """What reads a TFDS data set that lies on this machine, or is downloaded now.

    Raises:
        DataError: it is not here and can't be downloaded. UnknownNameError: there is none.
    """
    found = builder(dataset)
    if not found.is_prepared():
        if is_offline():
            raise DataError(
                f"the data set {dataset!r} is not in {found.data_dir}, and KERAS_FM_OFFLINE "
                "forbids to download it: set TFDS_DATA_DIR to a folder that holds it, or take the "
                f"bundled sample (split={SAMPLE!r})"
            )
        try:
            _check_network(found)
            found.download_and_prepare()
        except Exception as error:
            raise DataError(
                f"the data set {dataset!r} is not in {found.data_dir} and could not be "
                f"downloaded ({type(error).__name__}). Set TFDS_DATA_DIR to a folder that holds "
                "it, or connect to the network; the bundled sample needs neither "
                f"(split={SAMPLE!r})"
            ) from error
    return found


@cache
def sample(dataset: str) -> Examples:
    """The bundled sample: some hundred test examples, chosen by `tools/make_samples.py`."""
    file = resources.files("keras_fm") / "samples" / f"{dataset}.npz"
    if not file.is_file():
        names = {path.name for path in (resources.files("keras_fm") / "samples").iterdir()}
        known = {name.removesuffix(".npz") for name in names if name.endswith(".npz")}
        raise UnknownNameError(f"no bundled sample of {dataset!r}. {suggest(dataset, known)}")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        targets = arrays["targets"]
        columns = {name.partition("/")[2]: arrays[name] for name in arrays if "inputs" in name}
    inputs = columns.pop("", columns)  # one array without a name, or a table
    return Examples(inputs, targets, f"bundled sample of {len(targets)} {dataset} test examples")


@cache
def _load_tfds(dataset: str, split: str) -> Examples:
    import tensorflow_datasets as tfds

    found = prepared(dataset)
    try:
        count = found.info.splits[split].num_examples
    except ValueError:  # also of one that does not end, such as "train[:5"
        known = [*found.info.splits, SAMPLE]
        raise UnknownNameError(
            f"{dataset!r} has no split {split!r}. {suggest(split, known)}"
        ) from None
    if count <= 0:
        raise DataError(f"the split {split!r} of {dataset!r} has no example")
    # One file after the other: TFDS would take turns, and "a+b" would not end as b does.
    options = {"shuffle_files": False, "read_config": tfds.ReadConfig(interleave_cycle_length=1)}
    if found.info.supervised_keys is None:
        records = tfds.as_numpy(found.as_dataset(split=split, **options))
        text = b"".join(record["text"] for record in records)
        return characters(text.decode("utf-8", "replace"), f"{dataset} {split}")
    # batch_size=-1 is one batch with everything: 50,000 CIFAR images are 154 MB.
    whole = found.as_dataset(split=split, batch_size=-1, as_supervised=True, **options)
    inputs, targets = tfds.as_numpy(whole)
    if isinstance(inputs, dict):
        features = found.info.features[found.info.supervised_keys[0]]
        inputs = {name: _with_names(column, features[name]) for name, column in inputs.items()}
    return Examples(inputs, targets, f"{dataset} {split}")


def _with_names(column: np.ndarray, feature: Any) -> np.ndarray:
    """A table's column, the names of its categories in place of TFDS's numbers."""
    names = getattr(feature, "names", None)
    return column if names is None else np.array(names)[column]


def _check_network(builder: "DatasetBuilder") -> None:
    """Fails at once where there is no network: TFDS would try again for three minutes."""
    if getproxies():
        return  # the proxy knows the names, this machine need not
    for url in builder.url_infos:
        socket.getaddrinfo(urlsplit(url).hostname, None)


@cache
def builder(dataset: str) -> "DatasetBuilder":
    """What TFDS knows of a data set, here or not; `UnknownNameError` where there is none."""
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(dataset)
    except (tfds.core.DatasetNotFoundError, ValueError):  # ValueError: it can be no name of one
        raise UnknownNameError(f"TensorFlow Datasets has no data set {dataset!r}") from None
