"""`keras-fm demo`: from a pretrained model to an export, on bundled data and weights."""

import datetime
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from keras_fm import registry
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import KerasFmError
from keras_fm.evaluation.evaluation import evaluate
from keras_fm.exporting import query_export
from keras_fm.exporting.saved_model import export
from keras_fm.files import local_path
from keras_fm.models.loading import get
from keras_fm.training.fine_tuning import fine_tune

MODEL = "cifar_cnn"

# Classes that the model was not trained for: where a thing moves.
PLACES = {
    "air": ("airplane", "bird"),
    "road": ("automobile", "truck"),
    "water": ("ship",),
    "land": ("cat", "deer", "dog", "frog", "horse"),
}


def demo(directory: str | os.PathLike[str] = "runs") -> int:
    """Get a model, classify, fine-tune, export, and query the export in a second process.

    Args:
        directory: Where a folder for everything is made.

    Returns:
        0, or 1 where the export does not predict what the model predicts.
    """
    folder = local_path(directory) / f"demo-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    print(f"The zoo: {', '.join(registry.list_models())}\n")

    with _step(f"get {MODEL} with its pretrained weights"):
        model = get(MODEL)
    sample = datasets.sample(registry.info(MODEL).dataset)
    with _step(f"classify the {sample.description}"):
        metrics = evaluate(model, data=sample)
    claimed = registry.info(MODEL).weights_of().metrics["accuracy"]
    print(f"    accuracy {metrics['accuracy']:.1%} (on all test images: {claimed:.2%})\n")

    examples = _by_place(sample, registry.info(MODEL).labels)
    with _step("fine-tune a new head on half of them: does it move by air, road, water or land?"):
        run = fine_tune(
            model,
            examples,
            class_names=list(PLACES),
            strategy="head",
            run_dir=folder / "fine_tuned",
            validation_examples=len(examples) // 2,
            epochs=15,  # half of the recipe's: nobody waits for the last percent of a demo
        )
    print(f"    accuracy {run.metrics['accuracy']:.1%} on the other half\n")

    with _step("export the fine-tuned model as a SavedModel"):
        version = export(run.model, folder / "export")
    with _step("query the export in a second process, with plain TensorFlow"):
        logits, labels = _query(version, sample.inputs, folder)
    expected = run.model.predict(sample.inputs, verbose=0)
    difference = float(np.abs(logits - expected).max())
    expected_labels = [list(PLACES)[index] for index in expected.argmax(-1)]
    agrees = bool(difference <= 1e-5) and labels == expected_labels
    verdict = "agrees" if agrees else "DIFFERS"
    print(f"    largest difference of a logit {difference:.1e}: {verdict}")

    print(
        f"\nTry next:\n"
        f"  {shlex.join(['tensorboard', '--logdir', str(folder)])}\n"
        f"  {shlex.join(['keras-fm', 'predict', str(folder / 'fine_tuned')])} YOUR_PHOTO.jpg\n"
        f"  keras-fm verify {MODEL}"
    )
    return 0 if agrees else 1


@contextmanager
def _step(title: str) -> Iterator[None]:
    print(f"--> {title}", flush=True)
    started = time.monotonic()
    yield
    print(f"    {time.monotonic() - started:.1f} s", flush=True)


def _by_place(sample: Examples, labels: list[str]) -> Examples:
    place_of = {label: place for place, names in enumerate(PLACES.values()) for label in names}
    places = np.array([place_of[labels[label]] for label in sample.targets])
    return Examples(sample.inputs, places, sample.description)


def _query(version: Path, images: np.ndarray, folder: Path) -> tuple[np.ndarray, list[str]]:
    """Return the logits and labels that the export returns in a second process."""
    np.save(folder / "images.npy", images)
    outputs = folder / "outputs.npz"
    # -P: or the folder of the script would be searched for modules.
    command = [sys.executable, "-P", query_export.__file__, version, folder / "images.npy", outputs]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True)
    if process.returncode != 0:
        raise KerasFmError(f"the second process could not query the export:\n{process.stderr}")
    with np.load(outputs, allow_pickle=False) as arrays:
        return arrays["logits"], arrays["label"].tolist()
