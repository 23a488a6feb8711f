"""The profile of some training steps for TensorBoard."""

from pathlib import Path
from typing import Any

import keras

from keras_fm.training.event_files import LOGS, PROFILE

FIRST_STEP, LAST_STEP = 10, 20  # the first ones compile


class Profiler(keras.callbacks.TensorBoard):
    """Profiles some steps by Keras' `TensorBoard` callback, without the curves that it adds.

    The profile has a folder of its own: TensorBoard's reader leaves a file of events as soon as
    there is a newer one in its folder.

    Args:
        path: The run directory.
        num_steps: Of the training; of a shorter one the last steps are profiled.
    """

    def __init__(self, path: Path, num_steps: int) -> None:
        last = min(LAST_STEP, num_steps)
        first = max(1, min(FIRST_STEP, last - 1))
        folder = path / LOGS / PROFILE
        super().__init__(str(folder), write_graph=False, profile_batch=(first, last))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """End the profile with its last step."""
        super().on_train_batch_end(batch, None)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write no metrics."""

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Write nothing of the validation."""

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write nothing of the validation."""

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Write nothing of the validation."""
