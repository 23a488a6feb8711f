"""The gate of an export: no new version that is worse than the one that is served."""

import os
import tempfile
from pathlib import Path
from typing import Any

from keras_fm.comparison.comparison import compare
from keras_fm.comparison.report import ComparisonReport, describe_difference
from keras_fm.errors import KerasFmError
from keras_fm.evaluation.loading import load_examples
from keras_fm.exporting.saved_model import export
from keras_fm.models import run_files
from keras_fm.models.loading import resolve_model
from keras_fm.tasks.base import task_of


def check_not_worse(
    name: str | os.PathLike[str],
    against: str | os.PathLike[str],
    *,
    precision: Any = "float32",
    **data_options: Any,
) -> ComparisonReport:
    """Compare a model, as it would be exported, with what is there.

    Args:
        name: A model's name or a run directory.
        against: The export, or anything else that `compare` takes.
        precision: Of `export`; a precision below float32 changes the predictions.
        **data_options: `data`, `text` and `target` of `compare`.

    Raises:
        KerasFmError: The model is worse by more than the interval, or they can't be compared.
    """
    if precision == "float32":
        report = compare(against, name, **data_options)
    else:
        if data_options.get("data") is None:
            task, path = task_of(resolve_model(name)), run_files.run_path(name)
            data_options = {"data": load_examples(task, path, None, None)}
        with tempfile.TemporaryDirectory() as folder:
            candidate = Path(folder) / "candidate"
            export(name, candidate, warmup=False, precision=precision)
            report = compare(against, candidate, **data_options)
    if report.is_worse:
        raise KerasFmError(
            f"{name} is worse than {against}: {describe_difference(report)}. Nothing was "
            "exported; without --against it is, all the same"
        )
    return report
