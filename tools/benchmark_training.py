"""How fast recipes train, beside the same networks written the plain way.

    python tools/benchmark_training.py mlp cifar_cnn --steps 20 --rounds 5
    ONEDNN_MAX_CPU_ISA=AVX2 python tools/benchmark_training.py mini_bert --precision float32

The plain way is Keras' own layers in float32, `tf.data` and `fit`, with the recipe's loss and
optimizer and without its augmentation; texts are padded to the longest of their batch. Adversarial
training and smaller images at first, which plain training does not have, are left out of all.
Where PyTorch is installed (`pip install torch`), `cifar_cnn`, `lstm` and `mini_bert` are also
trained by the networks of `pytorch_networks.py`, in float32 and in bfloat16 where keras_fm computes
in it. On a CPU where TensorFlow leaves oneDNN off, keras_fm, whose trainings turn it on, is also
measured without it; plain Keras runs as TensorFlow does by itself. Each way has a process of its
own, and they take turns, so that what disturbs the machine disturbs all.
Prints a Markdown table: medians of the seconds and CPU seconds of a step, and their ratios to
those of keras_fm. Trains on the samples of the package, again and again, from random weights.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from keras_fm.startup import import_keras, lacks_onednn

MODELS = ["cifar_cnn", "fashion_cnn", "lstm", "mini_bert", "mlp", "char_lstm"]
PLAIN, OURS, PYTORCH, AUTOCAST = "plain Keras", "keras_fm", "PyTorch", "PyTorch, bfloat16"
WITHOUT_ONEDNN = "keras_fm, without oneDNN"
IN_PYTORCH = ["cifar_cnn", "lstm", "mini_bert"]
# Recipe fields that make steps of other kinds: they get their defaults.
LEFT_OUT = {"adversarial_epsilon", "image_sizes", "image_size_starts", "epochs_per_pass"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", default=MODELS)
    parser.add_argument("--steps", type=int, default=10, help="of a turn (default: 10)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: 5)")
    parser.add_argument("--precision", default="auto", help="of keras_fm (default: auto)")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytorch_ways = [PYTORCH] if find_spec("torch") else []
    if pytorch_ways and computes_in_bfloat16(options.precision):
        pytorch_ways.append(AUTOCAST)
    print("| model | way | s a step | CPU s a step | keras_fm is faster | in CPU s |")
    print("| --- | --- | --- | --- | --- | --- |")
    our_ways = [OURS, WITHOUT_ONEDNN] if lacks_onednn() else [OURS]
    for name in options.models:
        ways = [*our_ways, PLAIN, *(pytorch_ways if name in IN_PYTORCH else [])]
        measured = measure(name, ways, options.steps, options.rounds, options.precision)
        print(*rows(name, measured), sep="\n", flush=True)


def computes_in_bfloat16(precision: str) -> bool:
    """Return whether keras_fm does, with this precision on this machine."""
    from keras_fm.models.precision import resolve_precision

    return resolve_precision(precision) == "bfloat16"


def rows(name: str, measured: dict[str, np.ndarray]) -> Iterator[str]:
    """Yield a row of medians for each way; the ratios are medians of those of the rounds."""
    for way, seconds in measured.items():
        cells = [f"{value:.4f}" for value in np.median(seconds, axis=0)]
        ratios = np.median(seconds / measured[OURS], axis=0)
        cells += [""] * 2 if way == OURS else [f"{ratio:.2f}x" for ratio in ratios]
        yield f"| {name} | {way} | {' | '.join(cells)} |"


def measure(
    name: str, ways: list[str], steps: int, rounds: int, precision: str
) -> dict[str, np.ndarray]:
    """Return seconds and CPU seconds of a step, `[rounds, 2]`, of each way."""
    context = multiprocessing.get_context("spawn")
    processes, connections = [], {}
    for way in ways:
        connections[way], other = context.Pipe()
        process = context.Process(target=train, args=(other, way, name, steps, precision))
        process.start()
        other.close()  # so that the end of the process ends the wait for it
        processes.append(process)
        connections[way].recv()  # built and warm, before the next one is
    measured: dict[str, list[tuple[float, float]]] = {way: [] for way in connections}
    for _ in range(rounds):
        for way, connection in connections.items():
            connection.send(True)
            measured[way].append(connection.recv())
    for connection in connections.values():
        connection.close()
    for process in processes:
        process.join()
    return {way: np.array(values) for way, values in measured.items()}


def train(connection: Connection, way: str, name: str, steps: int, precision: str) -> None:
    """Train whenever the connection says so, and send what a step took, until it is closed."""
    import_keras(trains=way == OURS)
    import keras

    keras.utils.set_random_seed(0)
    makers = {PLAIN: plain, PYTORCH: pytorch, AUTOCAST: pytorch_in_bfloat16}
    model, dataset = makers.get(way, ours)(name, steps, precision)

    def turn() -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        model.fit(dataset, epochs=1, verbose=0, shuffle=False)
        return (time.perf_counter() - wall) / steps, (time.process_time() - cpu) / steps

    turn()  # traces the step
    connection.send(turn())
    try:
        while connection.recv():
            connection.send(turn())
    except EOFError:
        return


def ours(name: str, steps: int, precision: str) -> tuple[Any, Any]:
    """Return the compiled model of a recipe, and its batches."""
    task, recipe, batches = job(name, steps, precision)
    model = task.build(recipe, 0)
    task.adapt(model, task.data.load("sample"))
    return task.objective.compiled_model(model, recipe, 100 * steps), batches.as_dataset()


def plain(name: str, steps: int, _: str) -> tuple[Any, Any]:
    """Return the same network of Keras' own layers, compiled, and a data set of `tf.data`."""
    import keras

    from keras_fm.optimizers.optimizers import make_optimizer

    task, recipe, batches = job(name, steps, "float32")
    fast_model = task.build(recipe, 0)
    task.adapt(fast_model, task.data.load("sample"))
    model = keras.models.clone_model(fast_model, clone_function=plain_layer)
    model.compile(make_optimizer(recipe, 100 * steps), **task.objective.compile_options(recipe))
    return model, plain_dataset(batches, steps)


def pytorch(name: str, steps: int, _: str, uses_bfloat16: bool = False) -> tuple[Any, Any]:
    """Return the trainer of a network in PyTorch, and the batches of `plain` as arrays."""
    from pytorch_networks import Trainer

    _, recipe, batches = job(name, steps, "float32")
    dataset = plain_dataset(batches, steps)
    arrays = [(inputs.numpy().copy(), targets.numpy().copy()) for inputs, targets in dataset]
    return Trainer(name, recipe, uses_bfloat16), arrays  # copies, as TensorFlow's are read-only


pytorch_in_bfloat16 = partial(pytorch, uses_bfloat16=True)


def job(name: str, steps: int, precision: str) -> tuple[Any, Any, Any]:
    """Return the task of a model, its recipe without what is left out, and batches of an epoch."""
    from keras_fm import registry
    from keras_fm.models.spec import ModelSpec

    package, _ = registry.find(name)
    task = ModelSpec.of(package).task
    recipe = task.default_recipe()
    known = LEFT_OUT & {*recipe.__struct_fields__}
    fields = {name: recipe.default_of(name) for name in known}
    recipe = recipe.override(**fields, precision=precision, drop_remainder=True)
    examples = task.data.load("sample")
    one_pass = task.data.batches(examples, recipe.override(drop_remainder=False), 0)
    if len(one_pass) < steps or one_pass.batch_size < recipe.batch_size:
        times = -(-steps * recipe.batch_size // one_pass.num_examples)
        count = len(examples)
        indices = np.tile(np.arange(count), times)
        examples = examples.subset(indices, examples.description)
    batches = task.data.batches(examples, recipe, 0)
    if len(batches) < steps:
        raise SystemExit(f"{name}: its sample has {len(batches)} batches; --steps {len(batches)}")
    return task, recipe, _First(batches, steps)


class _First:
    """The first batches of an epoch."""

    def __init__(self, batches: Any, steps: int) -> None:
        self.batches, self.steps = batches, steps

    def as_dataset(self) -> Any:
        """Return them as `fit` takes them."""
        from keras_fm.data.batches import dataset_from_function

        return dataset_from_function(
            self.batches.__getitem__, self.steps, self.batches.element_spec
        )


def plain_layer(layer: Any) -> Any:
    """Return Keras' own layer instead of one of keras_fm that has one."""
    import keras

    from keras_fm import layers

    # Without rotation, which Keras does not have.
    plain = {
        layers.PackedConv2D: (keras.layers.Conv2D, ["pack"]),
        layers.FusedBatchNormalization: (keras.layers.BatchNormalization, ["beta_gain"]),
        layers.FastLSTM: (keras.layers.LSTM, []),
        layers.FastLayerNormalization: (keras.layers.LayerNormalization, []),
        layers.RotaryMultiHeadAttention: (keras.layers.MultiHeadAttention, []),
    }
    config = layer.get_config()
    kind, own_arguments = plain.get(type(layer), (type(layer), []))
    return kind.from_config({n: value for n, value in config.items() if n not in own_arguments})


def plain_dataset(first: _First, steps: int) -> Any:
    """Return shuffled batches of the examples by `tf.data` alone."""
    import keras
    import tensorflow as tf

    batches = first.batches
    inputs, targets = batches.inputs, batches.targets
    if hasattr(batches, "window"):  # those that lie side by side
        inputs, targets = inputs[:: batches.window], targets[:: batches.window]
    if getattr(getattr(inputs, "dtype", None), "kind", "") == "O":
        specs = tf.TensorSpec([None], tf.int32), tf.TensorSpec(targets.shape[1:], targets.dtype)
        rows = list(zip(inputs, targets, strict=True))
        dataset = tf.data.Dataset.from_generator(lambda: rows, output_signature=specs)
        shuffled = dataset.shuffle(10_000)
        batched = shuffled.padded_batch(batches.batch_size, drop_remainder=True)
    else:
        arrays = keras.tree.map_structure(np.ascontiguousarray, (inputs, targets))
        shuffled = tf.data.Dataset.from_tensor_slices(arrays).shuffle(10_000)
        batched = shuffled.batch(batches.batch_size, drop_remainder=True)
    return batched.repeat().take(steps).prefetch(tf.data.AUTOTUNE)


if __name__ == "__main__":
    main()
