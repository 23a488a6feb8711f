"""A SavedModel as a server's C++ loads and runs it, through TensorFlow's C API.

TF Serving is built on this loader. It does not run exports that Python does (keras#20095), whose
variables the graph names otherwise than the checkpoint does. No compiler is needed: the libraries
are those of TensorFlow's own package.
"""

import ctypes
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from keras_fm.errors import ExportError

_STRING_BYTES = 24  # of a TF_TString


class _Output(ctypes.Structure):
    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


class _Buffer(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("deallocator", ctypes.c_void_p),
    ]


class Session:
    """A loaded version: `with Session(path) as session: session.run("serving_default", inputs)`.

    signatures: TensorFlow's `SignatureDef` by name.

    Raises:
        ExportError: this loader refuses it, and why.
    """

    def __init__(self, version: Path) -> None:
        self._c = _library()
        self._status = self._c.TF_NewStatus()
        self._graph = self._c.TF_NewGraph()
        options, described = self._c.TF_NewSessionOptions(), self._c.TF_NewBuffer()
        tags = (ctypes.c_char_p * 1)(b"serve")
        self._session = self._c.TF_LoadSessionFromSavedModel(
            options, None, str(version).encode(), tags, 1, self._graph, described, self._status
        )
        self._c.TF_DeleteSessionOptions(options)
        self._check()
        content = ctypes.string_at(described.contents.data, described.contents.length)
        self._c.TF_DeleteBuffer(described)
        signatures = meta_graph_pb2.MetaGraphDef.FromString(content).signature_def
        # TensorFlow's own one begins with two underscores.
        names = sorted(name for name in signatures if name[:2] != "__")
        self.signatures = {name: signatures[name] for name in names}

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._c.TF_CloseSession(self._session, self._status)
        self._c.TF_DeleteSession(self._session, self._status)
        self._c.TF_DeleteGraph(self._graph)
        self._c.TF_DeleteStatus(self._status)

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the signature answers.

        Raises:
            ExportError: no such signature or input, or TensorFlow's own error.
        """
        if signature not in self.signatures:
            raise ExportError(f"no signature {signature!r}; there are {[*self.signatures]}")
        about = self.signatures[signature]
        if set(inputs) != set(about.inputs):
            raise ExportError(f"{signature} takes {[*about.inputs]}; received {[*inputs]}")
        names, fetched = [*inputs], [*about.outputs]
        fed = [self._output(about.inputs[name].name) for name in names]
        asked = [self._output(about.outputs[name].name) for name in fetched]
        given = [self._tensor(np.asarray(inputs[name])) for name in names]
        found = (ctypes.c_void_p * len(asked))()
        self._c.TF_SessionRun(
            self._session, None,
            (_Output * len(fed))(*fed), (ctypes.c_void_p * len(given))(*given), len(fed),
            (_Output * len(asked))(*asked), found, len(asked),
            None, 0, None, self._status,
        )  # fmt: skip
        for tensor in given:
            self._c.TF_DeleteTensor(tensor)
        self._check()
        return {name: self._array(tensor) for name, tensor in zip(fetched, found, strict=True)}

    def _output(self, name: str) -> _Output:
        """A tensor of the graph by its name, such as "StatefulPartitionedCall:2"."""
        operation, _, index = name.partition(":")
        found = self._c.TF_GraphOperationByName(self._graph, operation.encode())
        if not found:
            raise ExportError(f"the graph has no operation {operation!r}, which a signature names")
        return _Output(found, int(index))

    def _tensor(self, value: np.ndarray) -> Any:
        """A TF_Tensor with a copy of the array; a wrong dtype is the loader's to refuse."""
        shape = (ctypes.c_int64 * value.ndim)(*value.shape)
        if value.dtype.kind in "OSU":
            dtype = tf.string.as_datatype_enum
            size = _STRING_BYTES * value.size
            tensor = self._c.TF_AllocateTensor(dtype, shape, value.ndim, size)
            place = self._c.TF_TensorData(tensor)
            for item in value.ravel():
                text = item.encode() if isinstance(item, str) else bytes(item)
                self._c.TF_StringInit(place)
                self._c.TF_StringCopy(place, text, len(text))
                place += _STRING_BYTES
            return tensor
        value = np.asarray(value, order="C")  # ascontiguousarray makes a row of a number
        dtype = tf.as_dtype(value.dtype).as_datatype_enum
        tensor = self._c.TF_AllocateTensor(dtype, shape, value.ndim, value.nbytes)
        ctypes.memmove(self._c.TF_TensorData(tensor), value.ctypes.data, value.nbytes)
        return tensor

    def _array(self, tensor: Any) -> np.ndarray:
        """The array in a TF_Tensor, which is freed."""
        shape = [self._c.TF_Dim(tensor, axis) for axis in range(self._c.TF_NumDims(tensor))]
        dtype, place = self._c.TF_TensorType(tensor), self._c.TF_TensorData(tensor)
        if dtype == tf.string.as_datatype_enum:
            texts = [place + _STRING_BYTES * index for index in range(int(np.prod(shape)))]
            value = np.empty(len(texts), object)
            value[:] = [
                ctypes.string_at(
                    self._c.TF_StringGetDataPointer(text), self._c.TF_StringGetSize(text)
                )
                for text in texts
            ]
        else:
            content = ctypes.string_at(place, self._c.TF_TensorByteSize(tensor))
            value = np.frombuffer(content, tf.as_dtype(dtype).as_numpy_dtype)
        self._c.TF_DeleteTensor(tensor)
        return value.reshape(shape)

    def _check(self) -> None:
        if code := self._c.TF_GetCode(self._status):
            message = self._c.TF_Message(self._status).decode("utf-8", "replace")
            raise ExportError(message, code)


@cache
def _library() -> ctypes.CDLL:
    """TensorFlow's C API; after `import tensorflow`, which loads what it needs."""
    folder = Path(tf.__file__).parent
    files = [*folder.glob("libtensorflow_cc.*"), *folder.glob("libtensorflow_framework.*")]
    if not files:
        raise ExportError(f"TensorFlow's package in {folder} has no C library on this system")
    for file in reversed(files):
        library = ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL)
    pointer, number, buffer = ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Buffer)
    answers = {
        "TF_NewBuffer": buffer, "TF_NewStatus": pointer, "TF_NewGraph": pointer,
        "TF_NewSessionOptions": pointer,
        "TF_LoadSessionFromSavedModel": pointer, "TF_GraphOperationByName": pointer,
        "TF_AllocateTensor": pointer, "TF_TensorData": pointer, "TF_Dim": ctypes.c_int64,
        "TF_NumDims": number, "TF_TensorType": number, "TF_TensorByteSize": ctypes.c_size_t,
        "TF_StringGetDataPointer": pointer, "TF_StringGetSize": ctypes.c_size_t,
        "TF_GetCode": number, "TF_Message": ctypes.c_char_p,
    }  # fmt: skip
    for name, answer in answers.items():
        getattr(library, name).restype = answer
    takes = {
        "TF_LoadSessionFromSavedModel": [
            pointer, pointer, ctypes.c_char_p, pointer, number, pointer, buffer, pointer
        ],
        "TF_DeleteBuffer": [buffer],
        "TF_GraphOperationByName": [pointer, ctypes.c_char_p],
        "TF_AllocateTensor": [number, pointer, number, ctypes.c_size_t],
        "TF_Dim": [pointer, number],
        "TF_StringCopy": [pointer, ctypes.c_char_p, ctypes.c_size_t],
        "TF_SessionRun": [
            pointer, pointer, pointer, pointer, number, pointer, pointer, number,
            pointer, number, pointer, pointer,
        ],
        "TF_CloseSession": [pointer, pointer],
        "TF_DeleteSession": [pointer, pointer],
    }  # fmt: skip
    for name in (
        "TF_DeleteSessionOptions", "TF_DeleteGraph", "TF_DeleteStatus", "TF_DeleteTensor",
        "TF_TensorData", "TF_NumDims", "TF_TensorType", "TF_TensorByteSize", "TF_StringInit",
        "TF_StringGetDataPointer", "TF_StringGetSize", "TF_GetCode", "TF_Message",
    ):  # fmt: skip
        takes[name] = [pointer]
    for name, kinds in takes.items():
        getattr(library, name).argtypes = kinds
    return library
