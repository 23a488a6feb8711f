"""What several test files need: small data, a tiny model package, the test of one model."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from keras_fm import registry
from keras_fm.registry.entry import Input
from keras_fm.registry.metrics import METRICS

if TYPE_CHECKING:
    import keras

    from keras_fm.data.examples import Examples
    from keras_fm.registry.recipe import Recipe
    from keras_fm.training.runs import Run

ROOT = Path(__file__).parents[1]

MODEL = '''"""A tiny network."""

import keras
from keras import layers


def build(num_classes: int = 10, width: int = 4) -> keras.Model:
    """One convolution with batch normalisation: `image` [batch, 32, 32, 3] -> logits."""
    image = keras.Input((32, 32, 3), name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(image)
    x = layers.Conv2D(width, 3, strides=4, name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="NAME")
'''

ENTRY = """name = "NAME"
title = "A tiny network"
summary = "For the tests."
task = "image-classification"
dataset = "cifar10"
labels = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
]

[[inputs]]
name = "image"
dtype = "uint8"
shape = [32, 32, 3]
description = "RGB, 0..255"
"""

RECIPE = """dataset = "cifar10"
validation_examples = 56
epochs = 1
batch_size = 32
optimizer = "sgd"
learning_rate = 0.01
precision = "float32"
"""


# A table of two numbers, of which 0 is missing in the first one, and of a category.
TABLE_COLUMNS = [
    Input(name="size", dtype="float32", shape=[], description="", missing_value=0.0),
    Input(name="kind", dtype="string", shape=[], description="", categories=["a", "ä", "c d"]),
    Input(name="age", dtype="float32", shape=[], description=""),
]

# Models and tasks that take seconds for what others show in less; `.ci/run` tests them too.
THOROUGH = ("char_lstm", "fashion_cnn", "gan", "mini_bert", "fill-mask", "text-generation")


def thorough(names: Iterable[str]) -> list[Any]:
    """Return parameters of a test, with those of slow models marked as thorough.

    Args:
        names: Of models, of their weights, or of tasks.
    """
    mark = [pytest.mark.thorough]
    return [pytest.param(name, marks=mark * name.startswith(THOROUGH)) for name in names]


def first(cases: Iterable[Any], count: int) -> list[Any]:
    """Return parameters of a test, with all but the first `count` marked as thorough.

    Args:
        cases: One parameter each, or a tuple of several.
        count: How many stay fast.
    """
    parameters = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [
        pytest.param(*case, marks=[pytest.mark.thorough] * (index >= count))
        for index, case in enumerate(parameters)
    ]


def python(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `code` in a second Python, in the environment of this one with some changes."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def train_small(path: Path, **changes: Any) -> "Run":
    """Trains cifar_cnn_basic on the bundled sample for an epoch."""
    from keras_fm.training import training

    options = {"data": "sample", "validation_examples": 56, "epochs": 1, **changes}
    return training.train("cifar_cnn_basic", run_dir=path, **options)


def recipe(task: str = "image-classification", **fields: Any) -> "Recipe":
    """A short recipe of a task; `fields` are put into it."""
    from keras_fm.registry.tasks import task_module

    shared = {
        "dataset": "cifar10",
        "epochs": 1,
        "batch_size": 4,
        "optimizer": "sgd",
        "learning_rate": 0.1,
    }
    return task_module(task, "task").TASK.recipe_class(**(shared | fields))


def noise(count: int = 12, classes: int = 3, seed: int = 0) -> "Examples":
    """Random images with labels 0, 1, 2, 0, 1, ..."""
    from keras_fm.data.examples import Examples

    images = np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return Examples(images, np.arange(count) % classes, f"{count} images of noise")


def gradient():
    """A smooth image: decoders of JPEG differ where there is noise."""
    ramp = np.arange(32, dtype=np.uint8) * 7
    return np.stack([*np.broadcast_arrays(ramp[:, None], ramp[None], 90)], axis=-1).astype("uint8")


def image(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """A random uint8 RGB image."""
    return np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)


def encode(array: np.ndarray, kind: str = "PNG", mode: str | None = None) -> bytes:
    """The bytes of an image file, written by Pillow."""
    picture = Image.fromarray(array)
    stream = io.BytesIO()
    (picture.convert(mode) if mode else picture).save(stream, kind)
    return stream.getvalue()


def all_weights(model: "keras.Model") -> list[np.ndarray]:
    """Every variable of a model, as arrays."""
    return [np.asarray(values) for values in model.get_weights()]


def logits(model: "keras.Model", images: np.ndarray) -> np.ndarray:
    """A model's logits for images of its own size."""
    return np.asarray(model.predict(images, verbose=0))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities, computed in float64."""
    powers = np.exp(np.asarray(logits, np.float64))
    return powers / powers.sum(axis=-1, keepdims=True)


def same_weights(one: "keras.Model", other: "keras.Model") -> bool:
    """Whether two models hold the same weights, bit for bit."""
    pairs = zip(all_weights(one), all_weights(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def snapshot(folder: Path) -> dict[str, str]:
    """Every file under `folder`, with its hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def export(model: Any, path: Path, **options: Any) -> Path:
    """Export without warm-up requests, sketch and the comparison with the model: half of the time.

    For tests of what is served; those of an export itself call `saved_model.export`.
    """
    from keras_fm.exporting import saved_model

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(saved_model, "export_parity", lambda *_: {})
        return saved_model.export(model, path, **{"warmup": False, "sketch": False, **options})


def operations(version: Path) -> set[str]:
    """The names of all operations in an export's graph and its functions."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    proto = SavedModel()
    proto.ParseFromString((version / "saved_model.pb").read_bytes())
    graph = proto.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    return {node.op for node in nodes}


def write_package(site: Path, package: str, points: dict[str, str]) -> None:
    """An installed package with entry points of the group `keras_fm.models`."""
    (site / package).mkdir(parents=True)
    (site / package / "__init__.py").touch()
    about = site / f"{package}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (about / "entry_points.txt").write_text("\n".join(["[keras_fm.models]", *lines, ""]))


def write_tiny_package(package: Path) -> None:
    """Write the package of a tiny network, without weights."""
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model.py").write_text(MODEL.replace("NAME", package.name))
    (package / "entry.toml").write_text(ENTRY.replace("NAME", package.name))
    (package / "recipe.toml").write_text(RECIPE)


def write_small_package(
    package: Path, source: str, tokens: int | None = None, **small: int
) -> None:
    """Write the package of a small variant of a zoo model, without weights.

    Args:
        package: Its folder, whose name is the model's.
        source: The zoo model.
        tokens: The lines of its vocabulary; None for a model without one.
        **small: Arguments of its `build`.
    """
    zoo = ROOT / "zoo" / source
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model.py").write_text(
        "import functools\n\nfrom keras_fm import registry\n\n"
        f"_source = registry.find({source!r})[0].module('model')\n"
        f"build = functools.partial(_source.build, **{small})\n"
        "adapt = getattr(_source, 'adapt', None)\n"
    )
    entry = (zoo / "entry.toml").read_text("utf-8").partition("\n[weights.")[0]
    entry = entry.replace(f'name = "{source}"', f'name = "{package.name}"', 1)
    entry = re.sub(r"^(default_weights|init_from) = .*\n", "", entry, flags=re.MULTILINE)
    (package / "entry.toml").write_text(entry, "utf-8")
    (package / "recipe.toml").write_text((zoo / "recipe.toml").read_text("utf-8"), "utf-8")
    if tokens is not None:
        lines = (zoo / "vocabulary.txt").read_text("utf-8").split("\n")[:tokens]
        (package / "vocabulary.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")


def write_record(package: Path, **claims: Any) -> None:
    """Add the record of weights "first" to the package's entry, all made up but for `claims`."""
    record = {
        "file": "weights/first.weights.h5",
        "file_size": 1000,
        "sha256": "0" * 64,
        "storage": "float32",
        "num_parameters": 100,
        "flops": 100,
        "dataset": "cifar10",
        "split": "test",
        "num_examples": 10_000,
        "license": "Apache-2.0",
        "recipe": "recipe.toml",
        "recipe_sha256": "0" * 64,
    }
    environment = {
        "keras": "3",
        "backend": "x",
        "precision": "float32",
        "hardware": "x",
        "minutes": 1.0,
    }
    tables = {
        "": record,
        "training_environment": environment,
        "metrics": {"accuracy": 0.1, "accuracy_tta": 0.1},
        "sample_metrics": {"accuracy": 0.1, "accuracy_tta": 0.1},
        "seeds": {"seeds": [0], "minutes": [1.0]},
        "seeds.metrics": {"accuracy": [0.1], "accuracy_tta": [0.1]},
    }
    default = "" if "task" in claims else 'default_weights = "first"\n'
    text = default + (package / "entry.toml").read_text()
    claims = {"": {key: value for key, value in claims.items() if key not in tables}, **claims}
    for name, table in tables.items():
        text += f"\n[weights.first{'.' * bool(name)}{name}]\n"
        values = (claims.get(name, table) if name else table | claims[""]).items()
        text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in values)
    (package / "entry.toml").write_text(text)
    registry.clear_cache()


_weights: dict[tuple[str | int, ...], tuple[bytes, dict[str, Any]]] = {}


def write_weights(package: Path, *, storage: str = "float32", seed: int = 0, **claims: Any) -> None:
    """Write random weights for a model package, with a record that is true but for `claims`.

    The same package gets the same weights by a seed, which are measured once in a test session.
    """
    files = ("model.py", "entry.toml", "recipe.toml")
    key = (storage, seed, *((package / file).read_text() for file in files))
    if key not in _weights:
        _weights[key] = _measured_weights(package, storage, seed)
    content, measured = _weights[key]
    (package / "weights").mkdir()
    (package / "weights" / "first.weights.h5").write_bytes(content)
    write_record(package, **(measured | claims))


def _measured_weights(package: Path, storage: str, seed: int) -> tuple[bytes, dict[str, Any]]:
    import keras

    from keras_fm import store
    from keras_fm.data import datasets
    from keras_fm.evaluation.evaluation import evaluate
    from keras_fm.evaluation.flops import count_flops
    from keras_fm.models import loading, weights
    from keras_fm.registry.recipe import fingerprint

    keras.utils.set_random_seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "first.weights.h5"
        weights.save_weights(loading.get(package.name, weights=None), file, storage)
        model = loading.get(package.name, weights=file)
        content, sha256 = file.read_bytes(), store.sha256_of(file)
    metrics = evaluate(model, data=datasets.sample("cifar10"))
    return content, {
        "file_size": len(content),
        "sha256": sha256,
        "storage": storage,
        "num_parameters": model.count_params(),
        "flops": count_flops(model),
        "sample_metrics": {name: round(metrics[name], 4) for name in METRICS if name in metrics},
        "recipe_sha256": fingerprint(package / "recipe.toml"),
    }


def train_one_step(model: "keras.Model", name: str, count: int = 8) -> float:
    """Train one step by the recipe on some of the sample; return the loss, or the sum of all."""
    from keras_fm.tasks.base import task_of

    task = task_of(model)
    sample = task.data.load_dataset(registry.info(name).dataset, "sample")
    examples = sample.subset(slice(count), "a few")
    # Images as large as the model's input, and all of so few examples in one epoch.
    fields = {"epochs_per_pass": 1}
    if hasattr(task.default_recipe(), "image_sizes"):
        fields |= {"image_sizes": [], "image_size_starts": []}
    recipe = task.default_recipe().override(**fields)
    batches = task.data.batches(examples, recipe, seed=0)
    trainer = task.objective.compiled_model(model, recipe, steps=10)
    losses = trainer.train_on_batch(*batches[0], return_dict=True)
    return sum(float(value) for name, value in losses.items() if "loss" in name)


def generate(
    served: Any, prompts: list[str], length: Any = 30, temperature: Any = 1.0, seed: Any = 0
) -> list[str]:
    """Texts of an export's `generate`; an option is one value for all prompts, or a list."""
    import tensorflow as tf

    def row(value: Any, dtype: Any) -> Any:
        return tf.constant(value if isinstance(value, list) else [value], dtype)

    outputs = served.signatures["generate"](
        prompt=tf.constant(prompts, tf.string),
        length=row(length, tf.int32),
        temperature=row(temperature, tf.float32),
        seed=row(seed, tf.int32),
    )
    return [text.decode() for text in outputs["text"].numpy()]
