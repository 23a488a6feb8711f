"""Writes a model as a SavedModel that TF Serving serves as it is: raw images in, names out."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_fm import data, images, models, runs
from keras_fm.errors import InvalidInputError, KerasFmError, UnknownNameError

Outputs = dict[str, tf.Tensor]


def export(
    name_or_model: str | keras.Model,
    directory: str | os.PathLike[str],
    *,
    version: int | None = None,
) -> Path:
    """Writes `directory/<version>/`, a SavedModel with raw inputs.

    Signatures of an image classifier; every output is float32 but `label`, a string:
        serving_default: `image`, uint8 `[batch, rows, columns, 3]`, any size ->
            `probabilities`, `logits` `[batch, classes]`, `label` `[batch]`.
        serve_bytes: `image_bytes`, string `[batch]`, JPEG or PNG files -> the same.
        features: `image` -> `embedding` `[batch, width]`.

    The version folder appears whole or not at all, so a server that polls never sees half of one.

    Args:
        name_or_model: a model's name, a run directory, or a model.
        directory: the base path that TF Serving is given.
        version: None for the next free one. An old one is never overwritten.

    Returns:
        The path of the version.

    Raises:
        InvalidInputError: the version exists, or is no whole number from 1.
        KerasFmError: Keras runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise KerasFmError(
            f"a SavedModel is written by the TensorFlow backend; this is the "
            f"{keras.backend.backend()} backend. Run it with KERAS_BACKEND=tensorflow"
        )
    base = Path(directory)
    target = base / str(_free_version(base) if version is None else _check_version(base, version))
    model = runs.as_model(name_or_model)
    models.identify(model)
    base.mkdir(parents=True, exist_ok=True)
    # Not a number, so TF Serving ignores it; on the same file system, so the rename is atomic.
    draft = Path(tempfile.mkdtemp(dir=base, prefix=f".{target.name}-"))
    try:
        _write_saved_model(model, draft)
        runs.write_json(draft / "keras_fm.json", _describe(model, draft))
        draft.chmod(0o755)  # mkdtemp's 0700 would shut the server's user out
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return target


def _write_saved_model(model: keras.Model, path: Path) -> None:
    _, height, width, channels = model.input_shape
    any_image = tf.TensorSpec((None, None, None, channels), tf.uint8, name="image")
    any_file = tf.TensorSpec((None,), tf.string, name="image_bytes")
    resized = tf.TensorSpec((height, width, channels), tf.float32)

    with tempfile.TemporaryDirectory() as folder:
        label_table = _label_table(models.identify(model).labels, Path(folder))
        answer = _classifier(model, label_table)
        body = keras.Model(model.inputs, model.layers[-2].output)

        def serving_default(image: tf.Tensor) -> Outputs:
            return answer(images.fit(image, height, width))

        def serve_bytes(image_bytes: tf.Tensor) -> Outputs:
            batch = tf.map_fn(
                lambda file: images.fit(images.decode(file), height, width),
                image_bytes,
                fn_output_signature=resized,
            )
            return answer(batch)

        def features(image: tf.Tensor) -> Outputs:
            embedding = body(images.fit(image, height, width), training=False)
            return {"embedding": tf.cast(embedding, tf.float32)}

        # The archive finds the variables itself; track(model) would store each twice (keras#23553).
        archive = keras.export.ExportArchive()
        archive.track(label_table)
        archive.add_endpoint("serving_default", serving_default, [any_image])
        archive.add_endpoint("serve_bytes", serve_bytes, [any_file])
        archive.add_endpoint("features", features, [any_image])
        archive.write_out(str(path), verbose=False)


def _classifier(
    model: keras.Model, label_table: tf.lookup.StaticHashTable
) -> Callable[[tf.Tensor], Outputs]:
    def answer(batch: tf.Tensor) -> Outputs:
        logits = tf.cast(model(batch, training=False), tf.float32)
        return {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "label": label_table.lookup(tf.argmax(logits, axis=-1)),
        }

    return answer


def _label_table(labels: tuple[str, ...], folder: Path) -> tf.lookup.StaticHashTable:
    """Label by class index, read from `labels.txt`, which becomes an asset of the SavedModel."""
    file = folder / "labels.txt"
    file.write_text("".join(f"{label}\n" for label in labels), "utf-8")
    initializer = tf.lookup.TextFileInitializer(
        str(file),
        key_dtype=tf.int64,
        key_index=tf.lookup.TextFileIndex.LINE_NUMBER,
        value_dtype=tf.string,
        value_index=tf.lookup.TextFileIndex.WHOLE_LINE,
    )
    return tf.lookup.StaticHashTable(initializer, default_value="")


def _describe(model: keras.Model, path: Path) -> dict[str, object]:
    """What stands beside the SavedModel: its origin, and how near it is to the Keras model."""
    identity = models.identify(model)
    examples = _examples(model, identity)
    served = tf.saved_model.load(str(path)).signatures["serving_default"](tf.constant(examples))
    expected = np.asarray(model.predict_on_batch(examples))
    return {
        "model": identity.entry.name,
        "labels": list(identity.labels),
        "signatures": ["serving_default", "serve_bytes", "features"],
        "parity": {
            "largest_difference_of_logits": float(np.abs(served["logits"] - expected).max()),
            "examples": len(examples),
        },
        "written_by": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }


def _examples(model: keras.Model, identity: models.Identity) -> np.ndarray:
    try:
        return data.sample(identity.entry.dataset).images
    except UnknownNameError:  # another package's data set: noise shows a difference as well
        random = np.random.default_rng(0)
        return random.integers(0, 256, (64, *model.input_shape[1:]), dtype=np.uint8)


def _check_version(base: Path, version: int) -> int:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InvalidInputError(f"version is a whole number from 1; received {version!r}")
    if (base / str(version)).exists():
        raise InvalidInputError(
            f"{base / str(version)} exists; leave version out for the next free one"
        )
    return version


def _free_version(base: Path) -> int:
    used = [int(path.name) for path in base.glob("*") if path.name.isdecimal()]
    return max(used, default=0) + 1
