"""The arguments of `drift`, checked before anything slow is imported."""

import os
from pathlib import Path
from typing import Any

from keras_fm.errors import InvalidInputError
from keras_fm.file_errors import missing_file
from keras_fm.files import check_folder_path, local_path
from keras_fm.models import export_files
from keras_fm.options import check_float

REPORT_SUFFIXES = (".html", ".json")


def check_drift(
    export: str | os.PathLike[str],
    data: Any,
    *,
    reference: Any = None,
    text: str | None = None,
    out: str | os.PathLike[str] | None = None,
    fail_above: float | None = None,
) -> None:
    """Check the arguments of `drift` as far as they can be without the data and the export.

    Raises:
        KerasFmError: As `drift` raises it.
    """
    version = find_version(export)
    for inputs in (data, reference):
        for item in inputs if isinstance(inputs, (list, tuple)) else [inputs]:
            if isinstance(item, os.PathLike) and not local_path(item).exists():
                raise InvalidInputError(missing_file(item, "file or folder"))
    if reference is None and not (version / export_files.SKETCH).is_file():
        raise missing_sketch(version)
    if out is not None:
        check_report_path(out)
    if fail_above is not None:
        check_float("fail_above", fail_above, 0.0)


def find_version(export: str | os.PathLike[str]) -> Path:
    """Return the version folder of an export that keras_fm wrote.

    Raises:
        InvalidInputError: There is none.
    """
    if not isinstance(export, (str, os.PathLike)):
        raise InvalidInputError(f"expected the path of an export; received {type(export).__name__}")
    path = local_path(export)
    if not path.exists():
        raise InvalidInputError(f"expected an export: {missing_file(path, 'folder')}")
    version = export_files.find_version(path)
    if export_files.read_info(version) is None:
        raise InvalidInputError(f"{version} is a SavedModel that keras_fm did not write")
    return version


def missing_sketch(version: Path) -> InvalidInputError:
    """Return the error of an export without a sketch, which says how to make one."""
    return InvalidInputError(
        f"{version} has no sketch of its training inputs: export the model's name or run directory "
        "again where its training data is at hand, or name data to compare with (reference=, or "
        "--reference)"
    )


def check_report_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of a report's file, which is overwritten where it exists.

    Raises:
        InvalidInputError: It has another suffix, or its folder is none.
    """
    file = local_path(path)
    if file.suffix.lower() not in REPORT_SUFFIXES:
        raise InvalidInputError(
            f"expected a report that ends in {' or '.join(REPORT_SUFFIXES)}; received {file}"
        )
    if file.is_dir():
        raise InvalidInputError(f"expected a file for the report; {file} is a folder")
    check_folder_path(file.parent)
    return file
