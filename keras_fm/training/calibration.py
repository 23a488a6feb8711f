"""The calibration at the end of a training: fitted, written beside the weights, put into words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_fm.calibration.arguments import check_coverage
from keras_fm.calibration.calibration import FILE, Calibration, save_calibration
from keras_fm.calibration.fitting import split_halves
from keras_fm.calibration.metrics import result_of
from keras_fm.errors import RunError
from keras_fm.evaluation.calibrating import calibrate
from keras_fm.models import run_files
from keras_fm.models.loading import with_calibration
from keras_fm.training.jobs import TrainingJob


def calibrated(
    model: keras.Model, job: TrainingJob, path: Path, outputs: Any
) -> tuple[keras.Model, dict[str, Any]]:
    """Return the trained model with its calibration, which is written, and what the run says of it.

    Args:
        model: The trained model.
        job: The training.
        path: The run directory.
        outputs: Of the model for the validation examples.
    """
    if job.coverage is None or job.validation is None:
        return model, {}
    fitted = calibrate(model, job.validation, job.coverage, outputs=outputs)
    save_calibration(fitted, path / FILE)
    _, half = split_halves(len(job.validation))
    result = result_of(fitted, np.asarray(outputs)[half], job.validation.targets[half])
    return with_calibration(model, fitted), result


def describe_calibration(result: Mapping[str, Any], *, cross_validated: bool = False) -> str:
    """Return what a run's report says of its calibration; "" where there is none."""
    if not result:
        return ""
    metrics = result["metrics"]
    error, entropy = "expected_calibration_error", "cross_entropy"
    sentences = [
        f"calibrated: {Calibration.from_dict(result)}",
        f"on the latter, the expected calibration error (15 bins) is {metrics[error]:.4f} before "
        f"and {metrics[f'calibrated_{error}']:.4f} after, the cross-entropy {metrics[entropy]:.4f} "
        f"and {metrics[f'calibrated_{entropy}']:.4f}; prediction sets have "
        f"{metrics['mean_set_size']:.2f} classes on average",
    ]
    if cross_validated:
        sentences.append(
            "the outputs were those of the members that did not learn from an example; the whole "
            "ensemble is as good or better, and its sets cover a little more"
        )
    return "\n".join(sentences)


def resumed_coverage(path: Path, calibrate: bool | None, coverage: float | None) -> float | None:
    """Return the coverage of a run that is resumed, which keeps it.

    Raises:
        RunError: The options say otherwise.
    """
    run_coverage = run_files.read_run(path).get("coverage")
    requested = check_coverage(calibrate or None, coverage)
    if requested is not None and (run_coverage is None or coverage not in (None, run_coverage)):
        began = f"coverage={run_coverage}" if run_coverage is not None else "no calibration"
        raise RunError(
            f"the run in {path} began with {began}; received calibrate={calibrate}, "
            f"coverage={coverage}: a resumed training keeps it; leave it out, or start a new run"
        )
    return run_coverage
