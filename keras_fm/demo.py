"""`keras-fm demo`: the main job from end to end, on bundled real data and weights, in a minute."""

import datetime
import os
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
from keras_fm.evaluation import evaluation
from keras_fm.exporting import query_export, saved_model
from keras_fm.models import loading
from keras_fm.training import fine_tuning

MODEL = "cifar_cnn"

# A task that the model was not trained for: where a thing moves.
PLACES = {
    "air": ("airplane", "bird"),
    "road": ("automobile", "truck"),
    "water": ("ship",),
    "land": ("cat", "deer", "dog", "frog", "horse"),
}


def demo(directory: str | os.PathLike[str] = "runs") -> int:
    """Gets, classifies, fine-tunes, exports, and asks the export in a second process.

    Returns:
        0, or 1 where the export does not answer what the model answers.
    """
    folder = Path(directory) / f"demo-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    print(f"The zoo: {', '.join(registry.list_models())}\n")

    with _step(f"get {MODEL} with its pretrained weights"):
        model = loading.get(MODEL)
    sample = datasets.sample(registry.info(MODEL).dataset)
    with _step(f"classify the {sample.description}"):
        scores = evaluation.evaluate(model, data=sample)
    claimed = registry.info(MODEL).weights_of().metrics["accuracy"]
    print(f"    accuracy {scores['accuracy']:.1%} (on all test images: {claimed:.2%})\n")

    places = _by_place(sample, registry.info(MODEL).labels)
    with _step("fine-tune a new head on half of them: does it move by air, road, water or land?"):
        run = fine_tuning.fine_tune(
            model,
            places,
            labels=list(PLACES),
            strategy="head",
            run_dir=folder / "fine_tuned",
            validation_examples=len(places) // 2,
            epochs=15,  # half of the recipe's: nobody waits for the last percent of a demo
        )
    print(f"    accuracy {run.metrics['accuracy']:.1%} on the other half\n")

    with _step("export the fine-tuned model as a SavedModel"):
        version = saved_model.export(run.model, folder / "export")
    with _step("ask the export in a second process, with plain TensorFlow"):
        served, labels = _ask(version, sample.inputs, folder)
    expected = run.model.predict(sample.inputs, verbose=0)
    difference = float(np.abs(served - expected).max())
    agree = bool(difference <= 1e-5) and labels == [list(PLACES)[i] for i in expected.argmax(-1)]
    print(f"    largest difference of a logit {difference:.1e}: {'agrees' if agree else 'DIFFERS'}")

    print(
        f"\nTry next:\n"
        f"  tensorboard --logdir {folder}\n"
        f"  keras-fm predict {folder / 'fine_tuned'} YOUR_PHOTO.jpg\n"
        f"  keras-fm verify {MODEL}"
    )
    return 0 if agree else 1


@contextmanager
def _step(what: str) -> Iterator[None]:
    print(f"--> {what}", flush=True)
    started = time.monotonic()
    yield
    print(f"    {time.monotonic() - started:.1f} s", flush=True)


def _by_place(sample: Examples, labels: list[str]) -> Examples:
    place_of = {label: place for place, names in enumerate(PLACES.values()) for label in names}
    places = np.array([place_of[labels[label]] for label in sample.targets])
    return Examples(sample.inputs, places, sample.description)


def _ask(version: Path, images: np.ndarray, folder: Path) -> tuple[np.ndarray, list[str]]:
    np.save(folder / "images.npy", images)
    answers = folder / "answers.npz"
    # -P: or keras_fm's own folder, where the file lies, would be searched for modules.
    command = [sys.executable, "-P", query_export.__file__, version, folder / "images.npy", answers]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    asked = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True)
    if asked.returncode != 0:
        raise KerasFmError(f"the second process could not ask the export:\n{asked.stderr}")
    with np.load(answers, allow_pickle=False) as arrays:
        return arrays["logits"], arrays["label"].tolist()
