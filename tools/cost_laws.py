"""What predictions, exports and training steps cost, by batch, tokens, pixels, rows and width.

    ONEDNN_MAX_CPU_ISA=AVX2 python tools/cost_laws.py

Prints Markdown tables of CPU seconds, of their growth against the line above (2.0x where the size
doubles is a straight line) and of the memory that the call adds. CPU seconds are those of all
threads, so that other work on the machine disturbs them little. Each size has a process of its
own, whose peak memory counts. Models have random weights, and compute in float32.
"""

import argparse
import itertools
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="of which the median (default: 3)")
    parser.add_argument("laws", nargs="*", metavar="LAW", default=list(LAWS), help=", ".join(LAWS))
    options = parser.parse_args()
    unknown = set(options.laws) - LAWS.keys()
    if unknown:
        parser.error(f"no law {', '.join(sorted(unknown))}: there are {', '.join(LAWS)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for law in options.laws:
        print(f"\n### {law}\n\n| size | CPU s | a unit, µs | growth | MB |")
        print("| --- | --- | --- | --- | --- |")
        last = None
        for size, units, seconds, megabytes in in_processes(law, options.rounds):
            growth = "" if last is None else f"{seconds / last:.2f}x"
            cells = f"{seconds:.4f}", f"{seconds / units * 1e6:.2f}", growth, f"{megabytes:.0f}"
            print(f"| {size} | {' | '.join(cells)} |", flush=True)
            last = seconds


def in_processes(law: str, rounds: int) -> Iterator[tuple[str, int, float, float]]:
    """Yield a size in words, its units, CPU seconds and megabytes, each from a new process."""
    for index in itertools.count():
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            measured = process.submit(measure, law, index, rounds).result()
        if measured is None:
            return
        yield measured


def measure(law: str, index: int, rounds: int) -> tuple[str, int, float, float] | None:
    """Measure one size of a law; return None where it has no more."""
    item = next(itertools.islice(LAWS[law](), index, None), None)
    if item is None:
        return None
    size, units, call = item
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak is that from here on
    before = memory("VmRSS")
    seconds = median(call, rounds)
    return size, units, seconds, memory("VmHWM") - before


def memory(name: str) -> float:
    """Return megabytes of this process: resident now, `VmRSS`, or at the peak, `VmHWM`."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    [kibibytes] = [line.split()[1] for line in lines if line.startswith(name)]
    return int(kibibytes) * 1024 / 1e6


def median(call: Callable[[], Any], rounds: int) -> float:
    """Return the CPU seconds of a call, after one to warm up."""
    call()
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return float(np.median(seconds))


Law = Iterable[tuple[str, int, Callable[[], Any]]]  # a size in words, its units, what to measure


def predictions(name: str, shapes: list[tuple[int, ...]], unit: Callable[..., int]) -> Law:
    """Measure the outputs for arrays of these shapes."""
    from keras_fm.models import loading
    from keras_fm.tasks.base import task_of

    model = loading.get(name, weights=None)
    predict = task_of(model).predictor.predict
    for shape in shapes:
        inputs = np.random.default_rng(0).integers(1, 60, shape).astype(model.inputs[0].dtype)
        yield " x ".join(map(str, shape)), unit(*shape), lambda x=inputs: predict(model, x)


def steps(name: str, shapes: list[tuple[int, ...]], unit: Callable[..., int], **build: Any) -> Law:
    """Measure training steps on arrays of these shapes, of 10 classes."""
    import keras

    from keras_fm import registry

    package, _ = registry.find(name)
    model = package.module("model").build(**build)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for shape in shapes:
        random = np.random.default_rng(0)
        inputs = random.integers(1, 60, shape).astype(model.inputs[0].dtype)
        targets = random.integers(0, 2, shape[0])
        yield (
            " x ".join(map(str, shape)),
            unit(*shape),
            lambda x=inputs, y=targets: model.train_on_batch(x, y),
        )


def exports(name: str, inputs: Iterable[tuple[str, int, Any]]) -> Law:
    """Measure an export's predictions for raw inputs, a size in words and its units with each."""
    import tensorflow as tf

    from keras_fm.exporting import saved_model
    from keras_fm.models import loading

    with tempfile.TemporaryDirectory() as folder:
        model = loading.get(name, weights=None)
        version = saved_model.export(model, Path(folder) / name)
        served = tf.saved_model.load(str(version)).signatures["serving_default"]
        _, by_name = served.structured_input_signature
        [input_name] = by_name
        for size, units, values in inputs:
            tensor = tf.constant(values)
            yield size, units, lambda x=tensor: served(**{input_name: x})


def raw_images() -> Iterator[tuple[str, int, Any]]:
    for shape in IMAGES:
        yield " x ".join(map(str, shape)), pixels(*shape), np.full(shape, 99, "uint8")


def raw_texts() -> Iterator[tuple[str, int, Any]]:
    for count, words in TEXTS_BY_LENGTH:
        yield f"{count} x {words} words", tokens(count, words), [" film" * words] * count


def table_rows() -> Law:
    """Measure raw rows to prices."""
    import keras_fm

    predict = keras_fm.pipeline("mlp")
    sample = predict.spec.task.data.load("sample").inputs
    for count in (1_000, 2_000, 4_000, 8_000):
        columns = {name: np.resize(column, count) for name, column in sample.items()}
        yield f"{count} rows", count, lambda x=columns: predict(x)


def table_trainings() -> Law:
    """Measure a training on a table of one's own in one epoch, from the rows to the report."""
    import pandas as pd

    import keras_fm
    from keras_fm.data import datasets

    sample = datasets.sample("diamonds")
    for count in (12_500, 25_000, 50_000, 100_000):
        table = pd.DataFrame({**sample.inputs, "price": sample.targets})
        table = table.iloc[np.resize(np.arange(len(table)), count)].reset_index(drop=True)
        numbers = table.select_dtypes("number").columns  # a little changed: no row is there twice
        random = np.random.default_rng(0)
        table[numbers] *= random.uniform(0.99, 1.01, (count, len(numbers)))

        def train(table: pd.DataFrame = table) -> None:
            with tempfile.TemporaryDirectory() as folder:
                run_dir = Path(folder, "run")
                keras_fm.train(
                    "mlp", data=table, target="price", epochs=1, run_dir=run_dir, verbose=0
                )

        yield f"{count} rows", count, train


def widths() -> Law:
    """Measure a training step of encoders of other widths, by their squares."""
    for width in (128, 256, 512):
        options = {"width": width, "hidden": 4 * width}
        [(size, _, call)] = steps("mini_bert", [(8, 128)], lambda *_: 1, **options)
        yield f"{size}, width {width}", width**2, call


def tokens(batch: int, length: int) -> int:
    return batch * length


def pixels(batch: int, height: int, width: int, _: int) -> int:
    return batch * height * width


TEXTS_BY_LENGTH = [(16, length) for length in (64, 128, 256, 512)]
TEXTS_BY_BATCH = [(batch, 128) for batch in (8, 16, 32, 64)]
IMAGES = [(batch, 32, 32, 3) for batch in (8, 16, 32, 64)]
SIZES = [(16, size, size, 3) for size in (16, 24, 32, 48)]

LAWS: dict[str, Callable[[], Law]] = {
    "predictions-of-tokens": lambda: predictions("mini_bert", TEXTS_BY_LENGTH, tokens),
    "predictions-of-texts": lambda: predictions("mini_bert", TEXTS_BY_BATCH, tokens),
    "predictions-of-lstm": lambda: predictions("lstm", TEXTS_BY_LENGTH, tokens),
    "predictions-of-images": lambda: predictions("cifar_cnn", IMAGES, pixels),
    "predictions-of-rows": table_rows,
    "exports-of-images": lambda: exports("cifar_cnn", raw_images()),
    "exports-of-texts": lambda: exports("mini_bert", raw_texts()),
    "training-of-tokens": lambda: steps("mini_bert", TEXTS_BY_LENGTH, tokens),
    "training-of-images": lambda: steps("cifar_cnn", IMAGES, pixels),
    "training-of-pixels": lambda: steps("cifar_cnn", SIZES, pixels, image_size=None),
    "training-of-width": widths,
    "training-of-rows": table_trainings,
}

if __name__ == "__main__":
    main()
