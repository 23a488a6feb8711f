"""How well a classifier knows what it does not know, on the examples of an evaluation."""

import os
import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from scipy.special import softmax

from keras_fm.calibration import metrics
from keras_fm.calibration.calibration import Calibration
from keras_fm.data.examples import Examples
from keras_fm.errors import DataWarning, InvalidInputError
from keras_fm.evaluation import out_of_distribution


def calibration_metrics(
    model: keras.Model,
    calibration: Calibration | None,
    examples: Examples,
    outputs: np.ndarray,
    others: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what `evaluate` does under `calibration`, and `out_of_distribution` of others.

    Args:
        model: A classifier.
        calibration: That it is evaluated with; None for none.
        examples: Of its data.
        outputs: Of the model for them.
        others: Other data, as `load_others` returned them.
    """
    targets = np.asarray(examples.targets)
    values: dict[str, Any] = dict(metrics.uncalibrated_metrics(outputs, targets))
    if calibration is not None:
        values |= metrics.calibrated_metrics(calibration, outputs, targets)
        values |= {"temperature": calibration.temperature, "coverage": calibration.coverage}
        values["calibrated_on"] = calibration.data
        if calibration.data_sha256 == examples.sha256():
            warnings.warn(
                f"the model was calibrated on {examples.description}: its coverage and calibration "
                "error say less about new data",
                DataWarning,
                stacklevel=2,
            )
    probabilities = (
        calibration.probabilities(outputs)
        if calibration is not None
        else softmax(np.asarray(outputs, "float64"), axis=-1)
    )
    values["reliability"] = metrics.reliability(probabilities, targets)
    results: dict[str, Any] = {"calibration": values}
    if others:
        results["out_of_distribution"] = out_of_distribution.measure(
            model, outputs, others, calibration
        )
    return results


def check_sources(sources: Any) -> tuple[Any, ...]:
    """Return the other data of `evaluate` as a tuple: one, a list of them, or none.

    Raises:
        InvalidInputError: It is empty.
    """
    if sources is None:
        return ()
    is_single = isinstance(sources, (str, os.PathLike, np.ndarray, Examples, dict))
    if is_single or hasattr(sources, "columns"):
        return (sources,)
    if not isinstance(sources, (list, tuple)) or not sources:
        raise InvalidInputError(
            "out_of_distribution is 'noise', the name of a data set, other inputs of the model, or "
            f"a list of these; received {sources!r:.60}"
        )
    return tuple(sources)
