"""Pipelines of exports, which need no server: `keras_fm.pipeline("exports/cifar_cnn")`."""

from pathlib import Path
from typing import Any

from keras_fm.client import Client
from keras_fm.exporting.local_server import LocalServer
from keras_fm.models import export_files


class ExportPipeline(Client):
    """A callable from raw inputs to predictions, one dict an input, which an export computes here.

    It takes and returns what `Client` does.

    Args:
        path: A version, or the folder of versions, of which the highest is taken.
        top_k: See `pipeline`.

    Raises:
        ExportError: TensorFlow can't load it.
        InvalidInputError: There is no export.
    """

    def __init__(self, path: Path, top_k: int | None = None) -> None:
        """See the class."""
        self.top_k = top_k
        self.version = export_files.find_version(path)
        self._server = LocalServer(self.version)
        info = export_files.read_info(self.version) or {}
        self._class_names = info.get("labels") or None

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """Return predictions; see `Client`."""
        return super().__call__(inputs, **{"top_k": self.top_k, **options})

    def __repr__(self) -> str:
        """Show the version."""
        return f"<pipeline of the export {self.version}>"
