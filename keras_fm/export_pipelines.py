"""Pipelines of exports, which need no server: `keras_fm.pipeline("exports/cifar_cnn")`."""

from pathlib import Path
from typing import Any

from keras_fm.client import Client
from keras_fm.exporting.local_server import LocalServer
from keras_fm.models import export_files
from keras_fm.options import check_option_names


class ExportPipeline(Client):
    """A callable from raw inputs to predictions, one dict an input, which an export computes here.

    It takes and returns what `Client` does.

    Args:
        path: A version, or the folder of versions, of which the highest is taken.
        top_k: See `pipeline`.
        threshold: See there.

    Raises:
        ExportError: TensorFlow can't load it.
        InvalidInputError: There is no export.
    """

    def __init__(
        self, path: Path, top_k: int | None = None, threshold: float | None = None
    ) -> None:
        """See the class."""
        choice = {"top_k": top_k, "threshold": threshold}
        self._choice = {name: value for name, value in choice.items() if value is not None}
        self.version = export_files.find_version(path)
        self._server = LocalServer(self.version)
        info = export_files.read_info(self.version) or {}
        self._class_names = info.get("labels") or None
        self._check_choice(**self._choice)

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """Return predictions; see `Client`."""
        has_choice = not options.keys().isdisjoint(("top_k", "threshold"))
        return super().__call__(inputs, **{**({} if has_choice else self._choice), **options})

    def preprocess(self, inputs: Any, **options: Any) -> dict[str, Any]:
        """Return raw inputs as the export's signature takes them, arrays by name."""
        codec = self.codec
        check_option_names(str(self), codec.encode, options, skip=2)
        return codec.encode(self.signatures[codec.signature], inputs, **options)

    def __repr__(self) -> str:
        """Show the version."""
        return f"<pipeline of the export {self.version}>"
