"""An export that predicts in this process, as TF Serving does in its own."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_fm.errors import ExportError, InvalidInputError
from keras_fm.exporting.server_files import served_name
from keras_fm.exporting.session import Session
from keras_fm.serving.servers import DEFAULT_TIMEOUT, Server
from keras_fm.serving.signatures import Signature, parse_protos


class LocalServer(Server):
    """The signatures of one version.

    Args:
        version: Its folder.

    Raises:
        ExportError: TensorFlow can't load it.
    """

    def __init__(self, version: Path) -> None:
        name = served_name(version.parent)
        super().__init__(str(version), name, None, DEFAULT_TIMEOUT, {})
        self._session = Session(version)

    def fetch_signatures(self) -> dict[str, Signature]:
        """Return the signatures of the version."""
        return parse_protos(self._session.signatures)

    def call(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run a signature.

        Raises:
            InvalidInputError: The graph refuses the inputs.
            ExportError: It can't be run.
        """
        try:
            return self._session.run(signature, inputs)
        except ExportError as error:
            if error.code == tf.errors.INVALID_ARGUMENT:
                raise InvalidInputError(str(error)) from None
            raise
