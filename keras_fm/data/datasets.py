"""Data sets of TensorFlow Datasets (TFDS), and the samples that ship with the package."""

import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import numpy as np

from keras_fm.data import dataset_files
from keras_fm.data.examples import Examples, character_examples
from keras_fm.errors import DataError, MissingPackageError, UnknownNameError, suggest
from keras_fm.lazy_imports import has_tensorflow
from keras_fm.logs import left_out
from keras_fm.startup import import_tensorflow
from keras_fm.store.downloads import is_offline

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

SAMPLE = "sample"


@contextmanager
def _quietly() -> Iterator[None]:
    """Run a function that calls TFDS without its remarks: what is missing, an error says.

    Raises:
        MissingPackageError: TFDS, or the TensorFlow that it needs, is not installed.
    """
    if not _has_tfds():
        raise MissingPackageError(
            "TensorFlow Datasets, which loads data sets by their names, is not installed: pip "
            f"install tensorflow tensorflow-datasets; or set {dataset_files.FOLDER} to a folder "
            "with the data in .npz files, which tools/train_many.py prepare writes"
        )
    import_tensorflow()
    with left_out("absl"):
        yield


def load(dataset: str, split: str) -> Examples:
    """Load a split of a TFDS data set in its stored order, or the bundled sample.

    Args:
        dataset: TFDS name, such as `"cifar10"`. `TFDS_DATA_DIR` says where its data lies;
            `KERAS_FM_DATASETS`, where it lies in `.npz` files that need no TFDS.
        split: TFDS split, such as `"test"`, `"train[:90%]"` or `"validation+test"`; or
            `"sample"`: a few hundred test examples that ship with the package.

    Raises:
        DataError: The data is not on this machine and can't be downloaded, or has no examples that
            a model can learn from.
        UnknownNameError: The data set has no such split.
    """
    if split == SAMPLE:
        return sample(dataset)
    file = dataset_files.find(dataset, split)
    return _load_tfds(dataset, split) if file is None else _load_file(file, f"{dataset} {split}")


def is_prepared(dataset: str, split: str | None = None) -> bool:
    """Return whether the data set is on this machine, or the split in a `.npz` file."""
    if split is not None and dataset_files.find(dataset, split) is not None:
        return True
    if not _has_tfds():
        return False
    with _quietly():
        return bool(builder(dataset).is_prepared())


def _has_tfds() -> bool:
    return has_tensorflow() and find_spec("tensorflow_datasets") is not None


def is_recipe_data(data: Any) -> bool:
    """Return whether it means the recipe's data set, or the sample of it."""
    return data is None or (isinstance(data, str) and data == SAMPLE)


def is_surely_unknown(dataset: str) -> bool:
    """Return whether TFDS can have no data set of this name, without importing it for a second.

    It names a data set after the class that builds it, or after the folder of that; it also reads
    folders of data that other classes built. False where that is not sure.
    """
    name = dataset.removeprefix("tfds:").partition("/")[0]
    module_spec = find_spec("tensorflow_datasets")
    if "tensorflow_datasets" in sys.modules or module_spec is None or module_spec.origin is None:
        return False  # other classes may be registered by now
    folder = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    if not name.isidentifier() or os.path.exists(os.path.join(os.path.expanduser(folder), name)):
        return False
    package = Path(module_spec.origin).parent
    class_name = name.replace("_", "")
    defined = re.compile(rf"(?im)^class {class_name}\(".encode())
    return not (package / "datasets" / name).exists() and not any(
        defined.search(file.read_bytes())
        for part in package.iterdir()
        if part.is_dir() and part.name not in ("core", "scripts", "testing")
        for file in part.rglob("*.py")
    )


@cache
def is_known(dataset: str) -> bool:
    """Return whether TFDS has a data set of this name, without configuration and version."""
    if is_surely_unknown(dataset) or not _has_tfds():
        return False
    with _quietly():
        import tensorflow_datasets as tfds

        return dataset in tfds.list_builders(with_community_datasets=False)


@_quietly()
def prepared(dataset: str) -> "DatasetBuilder":
    """Return the TFDS builder of a data set that is on this machine, or is downloaded now.

    Raises:
        DataError: The data is not on this machine and can't be downloaded.
        UnknownNameError: TFDS has no such data set.
    """
    dataset_builder = builder(dataset)
    if not dataset_builder.is_prepared():
        if is_offline():
            raise DataError(
                f"the data set {dataset!r} is not in {dataset_builder.data_dir}, and "
                "KERAS_FM_OFFLINE forbids to download it: set TFDS_DATA_DIR to a folder that holds "
                f"it, or take the bundled sample (split={SAMPLE!r})"
            )
        try:
            _check_network(dataset_builder)
            dataset_builder.download_and_prepare()
        except Exception as error:
            raise DataError(
                f"the data set {dataset!r} is not in {dataset_builder.data_dir} and could not be "
                f"downloaded ({type(error).__name__}). Set TFDS_DATA_DIR to a folder that holds "
                "it, or connect to the network; the bundled sample needs neither "
                f"(split={SAMPLE!r})"
            ) from error
    return dataset_builder


@cache
def sample(dataset: str) -> Examples:
    """Load the bundled sample of a data set: some hundred test examples.

    `tools/make_samples.py` selected them.

    Raises:
        UnknownNameError: No sample of this data set ships with the package.
    """
    folder = resources.files("keras_fm") / "samples"
    file = folder / f"{dataset}.npz"
    if not file.is_file():
        names = {path.name for path in folder.iterdir()}
        known = {name.removesuffix(".npz") for name in names if name.endswith(".npz")}
        raise UnknownNameError(f"no bundled sample of {dataset!r}. {suggest(dataset, known)}")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        targets = arrays["targets"]
        columns = {name.partition("/")[2]: arrays[name] for name in arrays if "inputs" in name}
    inputs = columns.pop("", columns)  # one array without a name, or a table
    return Examples(inputs, targets, f"bundled sample of {len(targets)} {dataset} test examples")


@cache
def _load_file(path: Path, description: str) -> Examples:
    return dataset_files.read(path, description)


@cache
@_quietly()
def _load_tfds(dataset: str, split: str) -> Examples:
    import tensorflow_datasets as tfds

    dataset_builder = prepared(dataset)
    info = dataset_builder.info
    try:
        count = info.splits[split].num_examples
    except ValueError:  # also of one that does not end, such as "train[:5"
        known = [*info.splits, SAMPLE]
        raise UnknownNameError(
            f"{dataset!r} has no split {split!r}. {suggest(split, known)}"
        ) from None
    if count <= 0:
        raise DataError(f"the split {split!r} of {dataset!r} has no example")
    description = f"{dataset} {split}"
    # One file after the other: TFDS would interleave them, and "a+b" would not end as b does.
    options = {"shuffle_files": False, "read_config": tfds.ReadConfig(interleave_cycle_length=1)}
    if info.supervised_keys is None:
        if "text" not in info.features:
            raise DataError(
                f"the data set {dataset!r} has neither pairs of an input and a target nor a "
                f"feature 'text' to learn from; its features: {', '.join(info.features)}. Hand "
                "over (inputs, targets) or a tf.data.Dataset of such pairs"
            )
        records = tfds.as_numpy(dataset_builder.as_dataset(split=split, **options))
        text = b"".join(record["text"] for record in records)
        return character_examples(text.decode("utf-8", "replace"), description)
    # batch_size=-1 is one batch with everything: 50,000 CIFAR images are 154 MB.
    batch = dataset_builder.as_dataset(split=split, batch_size=-1, as_supervised=True, **options)
    inputs, targets = tfds.as_numpy(batch)
    if isinstance(inputs, dict):
        features = info.features[info.supervised_keys[0]]
        inputs = {name: _with_names(column, features[name]) for name, column in inputs.items()}
    return Examples(inputs, targets, description)


def _with_names(column: np.ndarray, feature: Any) -> np.ndarray:
    """Replace the indices of a categorical column by the names of its categories."""
    names = getattr(feature, "names", None)
    return column if names is None else np.array(names)[column]


def _check_network(dataset_builder: "DatasetBuilder") -> None:
    """Raise an `OSError` at once where there is no network: TFDS would retry for minutes."""
    if getproxies():
        return  # the proxy resolves the names
    for url in dataset_builder.url_infos:
        socket.getaddrinfo(urlsplit(url).hostname, None)


@cache
@_quietly()
def builder(dataset: str) -> "DatasetBuilder":
    """Return the TFDS builder of a data set, whether its data is on this machine or not.

    Raises:
        UnknownNameError: TFDS has no such data set.
    """
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(dataset)
    except (tfds.core.DatasetNotFoundError, ValueError):  # ValueError: no valid name
        raise UnknownNameError(f"TensorFlow Datasets has no data set {dataset!r}") from None
    except AssertionError as error:  # another version than TFDS has
        raise UnknownNameError(f"TensorFlow Datasets has no {dataset!r}: {error}") from None
