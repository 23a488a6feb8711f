"""Measures an export's lower precisions: the first metric of the entry on the test split.

    python tools/precision_costs.py cifar_cnn fashion_cnn

Each model is measured as `export(precision=...)` prepares it, in Keras. Takes a minute or two for a
network of images, ten for a text model.
"""

import argparse

import keras_fm
from keras_fm.errors import InvalidInputError
from keras_fm.exporting import inference_graph
from keras_fm.exporting.arguments import PRECISIONS
from keras_fm.models.spec import spec_of
from keras_fm.registry.metrics import METRICS
from keras_fm.tasks.base import task_of


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--split", default="test", help="test, train or sample (default: test)")
    options = parser.parse_args()
    print("| model | metric |", *(f"{precision} |" for precision in PRECISIONS))
    print("|---" * (2 + len(PRECISIONS)) + "|")
    for name in options.models:
        model = keras_fm.get(name)
        entry = spec_of(model).entry
        metric = next(iter(entry.weights[entry.default_weights].metrics))
        examples = task_of(model).data.load(options.split)
        values = [_measure(model, metric, examples, x) for x in PRECISIONS]
        print(
            f"| {name} | {METRICS[metric].title} |", *(f"{value} |" for value in values), flush=True
        )


def _measure(model, metric, examples, precision) -> str:
    try:
        prepared = inference_graph.inference_model(model, precision)
    except InvalidInputError:
        return "–"
    return METRICS[metric].format(task_of(model).objective.evaluate(prepared, examples)[metric])


if __name__ == "__main__":
    main()
