"""Which columns of a table a model reads, and which it writes, before the model is loaded."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from keras_fm.batch_prediction.columns import column_dtypes, without_clashes
from keras_fm.errors import InvalidInputError
from keras_fm.files import local_path
from keras_fm.models import export_files, run_files
from keras_fm.models.lookup import find_export, look_up
from keras_fm.preprocessing.array_likes import column_name
from keras_fm.preprocessing.tables.headers import missing_column
from keras_fm.registry.tasks import task_module

ERROR = "error"


@dataclass(frozen=True)
class ScoringSpec:
    """A model, the columns that it reads and those that it writes.

    Attributes:
        model: A model's name, or the absolute path of one version of an export or of a run, so that
            all workers load the same.
        input_kind: See `Codec`: `"image"`, `"text"` or `"row"`.
        inputs: The columns that it reads.
        dtypes: The columns that it writes, "string" or "float32" by name; the last one is `error`.
    """

    model: str
    input_kind: str
    inputs: tuple[str, ...]
    dtypes: dict[str, str]

    @classmethod
    def of(cls, model: str | os.PathLike[str], column: str | None = None) -> "ScoringSpec":
        """Find out what a model reads and writes, without loading it.

        Args:
            model: See `BatchPredictor`.
            column: See there.

        Raises:
            InvalidInputError: It is no model of images, texts or tables, or `column` is missing or
                one too many.
            UnknownNameError: There is no such model.
        """
        name, info = _resolve(model)
        codec = task_module(info["task"], "codec").CODEC
        if codec.input_kind not in ("image", "text", "row") or codec.takes_seed:
            raise InvalidInputError(
                "expected a model that predicts for images, texts or rows of tables; received "
                f"{name}, whose task is {info['task']}"
            )
        if codec.input_kind == "row":
            if column is not None:
                raise InvalidInputError(
                    f"column names that of images or texts, and {name} is a model of tables: "
                    f"leave it out; received {column!r}"
                )
            inputs = [table_column["name"] for table_column in info["inputs"]]
        elif column is None:
            raise InvalidInputError(
                f"{name} is a model of {codec.input_kind}s: say which column holds them, such as "
                f"column={codec.input_kind!r}"
            )
        else:
            inputs = [column]
        dtypes = {**column_dtypes(codec, info["labels"]), ERROR: "string"}
        return cls(name, codec.input_kind, tuple(inputs), dtypes)

    def find_inputs(self, names: Sequence[str]) -> list[str]:
        """Return the columns that the model reads, as a table with columns `names` calls them.

        Raises:
            DataError: A column is missing.
        """
        by_name = {column_name(name): name for name in names}
        for name in self.inputs:
            if column_name(name) not in by_name:
                raise missing_column("the table", name, names)
        return [by_name[column_name(name)] for name in self.inputs]

    def output_names(self, taken: Iterable[str]) -> dict[str, str]:
        """Return what the columns that it writes are called beside columns `taken`."""
        renamed = without_clashes({name: name for name in self.dtypes}, [*taken])
        return {name: new_name for new_name, name in renamed.items()}


def _resolve(model: Any) -> tuple[str, dict[str, Any]]:
    """Return the name or absolute path of a model, and its task, labels and inputs."""
    if not isinstance(model, (str, os.PathLike)):
        raise InvalidInputError(
            "each worker loads the model itself: expected a model's name, or the path of an export "
            f"or of a run directory; received {type(model).__name__}"
        )
    export = find_export(model)
    if export is None:
        info = dict(look_up(model).info)
        is_path = run_files.is_model_path(model)
        return str(local_path(model).absolute()) if is_path else str(model), info
    version = export_files.find_version(export).absolute()
    export_info = export_files.read_info(version)
    if export_info is None:
        raise InvalidInputError(
            f"{version} has no {export_files.INFO}, which says what it predicts: expected an "
            "export by keras_fm.export"
        )
    return str(version), export_info
