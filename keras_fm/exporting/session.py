"""Runs a SavedModel in a TensorFlow session, as TF Serving does.

A session restores the variables by the graph's own names. It therefore refuses exports that
`tf.saved_model.load` runs, because the graph and the checkpoint name their variables differently
(keras#20095).
"""

import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import config_pb2, saved_model_pb2

from keras_fm.errors import ExportError
from keras_fm.logs import left_out

_TAG = "serve"
_load = inspect.unwrap(tf.compat.v1.saved_model.load)  # TensorFlow 2 calls it deprecated


class Session:
    """A loaded version: `with Session(path) as session: session.run("serving_default", inputs)`.

    Attributes:
        signatures: TensorFlow's `SignatureDef` by name.

    Raises:
        ExportError: The session can't load the version; the message says why.
    """

    def __init__(self, version: Path) -> None:
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        # At the exit of Python too: a callable can't be released after TensorFlow's modules.
        self.close = weakref.finalize(self, self._session.close)
        self._callables: dict[str, Callable[..., Sequence[np.ndarray]]] = {}
        try:
            _check_functions(version)
            with left_out("tensorflow", "^Restoring parameters from"):
                signatures = _load(self._session, [_TAG], str(version)).signature_def
        except (tf.errors.OpError, OSError, RuntimeError, ValueError) as error:
            self.close()
            raise _export_error(error) from None
        # TensorFlow's internal signatures begin with two underscores.
        names = sorted(name for name in signatures if not name.startswith("__"))
        self.signatures = {name: signatures[name] for name in names}

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run a signature.

        Args:
            signature: Its name.
            inputs: An array for each of its inputs, of the input's dtype.

        Returns:
            An array for each output; strings are bytes in an object array.

        Raises:
            ExportError: No such signature or input, or TensorFlow's own error.
        """
        if signature not in self.signatures:
            raise ExportError(f"no signature {signature!r}; there are {[*self.signatures]}")
        definition = self.signatures[signature]
        if set(inputs) != set(definition.inputs):
            raise ExportError(f"{signature} takes {[*definition.inputs]}; received {[*inputs]}")
        try:
            if signature not in self._callables:
                self._callables[signature] = self._make_callable(definition)
            arrays = [np.asarray(inputs[name]) for name in definition.inputs]
            outputs = self._callables[signature](*arrays)
        except (tf.errors.OpError, ValueError) as error:
            raise _export_error(error) from None
        return dict(zip(definition.outputs, outputs, strict=True))

    def _make_callable(self, definition: Any) -> Callable[..., Sequence[np.ndarray]]:
        # `Session.run` would cast a wrong dtype and refuse a wrong shape before the graph sees it.
        # TF Serving does neither, and the C++ callable behind this method does neither.
        options = config_pb2.CallableOptions(
            feed=[tensor.name for tensor in definition.inputs.values()],
            fetch=[tensor.name for tensor in definition.outputs.values()],
        )
        return self._session._make_callable_from_options(options)


def _check_functions(version: Path) -> None:
    """Refuse a graph that calls a function it does not hold.

    TensorFlow refuses it too, in a message with the whole graph that its Python side then takes
    minutes to format.
    """
    try:
        content = (version / "saved_model.pb").read_bytes()
        saved_model = saved_model_pb2.SavedModel.FromString(content)
    except (OSError, DecodeError):
        return  # the loader says what is wrong
    for graph in (meta_graph.graph_def for meta_graph in saved_model.meta_graphs):
        functions = {function.signature.name for function in graph.library.function}
        nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
        called = {
            function.name
            for node in nodes
            for value in node.attr.values()
            for function in (value.func, *value.list.func)
            if function.name
        }
        if missing := called - functions:
            raise ExportError(f"the graph calls functions it does not hold: {sorted(missing)}")


def _export_error(error: Exception) -> ExportError:
    if isinstance(error, ExportError):
        return error
    message = error.message if isinstance(error, tf.errors.OpError) else str(error)
    if isinstance(error, UnicodeDecodeError):  # a message with bytes of the request in it
        message = error.object.decode("utf-8", "replace")
    text = " ".join(message.split()).removeprefix("Graph execution error: ")
    return ExportError(text, getattr(error, "error_code", None))
