"""Event files of TensorBoard: which folders a run has, and the tags' groups in their order.

TensorBoard sorts tags by the alphabet and opens the first two groups: so they are numbered.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from keras_fm.lazy_imports import has_tensorflow, tf

LOGS = "logs"
MISSING = "tensorflow and tensorboard are not installed"
TRAIN, VALIDATION = "train", "validation"  # as Keras' TensorBoard callback calls the folders

LOSS, METRICS, OPTIMIZER, SPEED = "1_loss", "2_metrics", "3_optimizer", "4_speed"
RESULT, PICTURES, INPUTS = "5_result", "6_pictures", "7_inputs"
WEIGHTS, ACTIVATIONS = "8_weights", "9_activations"  # with `histograms=True`
PROFILE = "profile"  # a folder beside those of training and validation
FLUSH_MILLIS = 10_000  # a training that is watched is shown as it is


def can_write() -> bool:
    """Return whether the packages are installed that write event files."""
    return has_tensorflow() and find_spec("tensorboard") is not None


class EventWriters:
    """The writers of one training, one a folder.

    TensorBoard's reader in Python leaves a file as soon as there is a newer one in its folder.

    Args:
        run: The run directory.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self._writers: dict[str, tf.summary.SummaryWriter] = {}

    def __getitem__(self, folder: str) -> tf.summary.SummaryWriter:
        """Return the writer of `TRAIN` or `VALIDATION`; its file is made by the first call."""
        if folder not in self._writers:
            self._writers[folder] = event_writer(self.run, folder)
        return self._writers[folder]

    def flush(self) -> None:
        """Write what is pending."""
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


def event_writer(run: Path, folder: str) -> tf.summary.SummaryWriter:
    """Return a new writer of a folder of a run's logs."""
    return tf.summary.create_file_writer(str(run / LOGS / folder), flush_millis=FLUSH_MILLIS)


def write_scalars(writer: tf.summary.SummaryWriter, step: int, values: Mapping[str, float]) -> None:
    """Write points of curves by tag, in one call: a step of a small model is as short."""
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb

    summary = tf.compat.v1.Summary()
    for tag, value in values.items():
        summary.MergeFromString(scalar_pb(tag, value).SerializeToString())
    with writer.as_default(step=step):
        tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step=step)
