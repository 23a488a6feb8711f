"""What a run keeps of its examples: those that validate, digests of those that it is trained on."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from keras_fm.data.example_digests import load_digests, save_digests
from keras_fm.data.example_files import save_examples
from keras_fm.errors import DataWarning
from keras_fm.formatting import choose_form
from keras_fm.models.run_files import DIGESTS, VALIDATION, run_path
from keras_fm.training.jobs import TrainingJob


def write_examples(path: Path, job: TrainingJob, init_from: Any) -> None:
    """Write what `evaluate` and `verify` need to know of the examples, before a run starts.

    Where the run is initialized from another one, it knows the examples of that, too; a warning
    counts those of them that validate.

    Args:
        path: Its directory.
        job: The training.
        init_from: As `train` takes it.
    """
    data = job.task.data
    digests = data.digests(job.examples)
    known = _known_digests(init_from, digests)
    save_digests(np.concatenate([digests, known]), path / DIGESTS)
    if job.validation is None:
        return
    if not job.split:
        save_examples(job.validation, path / VALIDATION)
    validation_digests = data.digests(job.validation)
    count = int(np.isin(validation_digests, known).sum())
    if count:
        warnings.warn(
            f"{count:,} of {len(validation_digests):,} {data.digest_unit} that validate "
            f"{choose_form(count, 'was', 'were')} in the training data of {init_from}: the metrics "
            "say less about new data",
            DataWarning,
            stacklevel=2,
        )


def _known_digests(init_from: Any, digests: np.ndarray) -> np.ndarray:
    """Return the digests of the run that another is initialized from, without those of its own."""
    path = run_path(init_from)
    if path is None or not (path / DIGESTS).is_file():
        return np.empty(0, "uint64")
    return np.setdiff1d(load_digests(path / DIGESTS), digests)
