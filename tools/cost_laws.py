"""What predictions and training steps cost, against batch, tokens, pixels, rows and width.

    ONEDNN_MAX_CPU_ISA=AVX2 python tools/cost_laws.py

Prints Markdown tables of CPU seconds and of the growth against the line above: 2.0x where the size
doubles is a straight line. CPU seconds are those of all threads, so that other work on the machine
disturbs them little. Models have random weights, and compute in float32.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterable
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
        print(f"\n### {law}\n\n| size | CPU s | a unit, µs | growth |\n| --- | --- | --- | --- |")
        last = None
        for size, units, call in LAWS[law]():
            seconds = median(call, options.rounds)
            growth = "" if last is None else f"{seconds / last:.2f}x"
            print(
                f"| {size} | {seconds:.4f} | {seconds / units * 1e6:.2f} | {growth} |", flush=True
            )
            last = seconds


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


def table_rows() -> Law:
    """Measure raw rows to prices."""
    import keras_fm

    predict = keras_fm.pipeline("mlp")
    sample = predict.spec.task.data.load("sample").inputs
    for count in (1_000, 2_000, 4_000, 8_000):
        columns = {name: np.resize(column, count) for name, column in sample.items()}
        yield f"{count} rows", count, lambda x=columns: predict(x)


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
    "training-of-tokens": lambda: steps("mini_bert", TEXTS_BY_LENGTH, tokens),
    "training-of-images": lambda: steps("cifar_cnn", IMAGES, pixels),
    "training-of-pixels": lambda: steps("cifar_cnn", SIZES, pixels, image_size=None),
    "training-of-width": widths,
}

if __name__ == "__main__":
    main()
