"""Imports TensorFlow without the remarks on the machine that it writes to stderr when it starts."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import IO

from keras_fm.cpu import cpu_flags

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_SHOW_ALL, _FATAL = "0", "3"  # errors also come as exceptions
# Lines of TensorFlow's own on what it has found; it goes on without a library that is not there.
_REMARKS = re.compile(
    r"WARNING: All log messages before absl::InitializeLog\(\)"
    r"|(\d{4}-\d\d-\d\d [\d:.]+: )?[IW]\d* "
    r"|(\d{4}-\d\d-\d\d [\d:.]+: )?E\d* .*(Unable to register cu|cuInit|computation_placer)"
    r"|To enable the following instructions: "
)

# oneDNN multiplies and convolves for TensorFlow on CPUs with one of these flags, as port.cc says
# there (DefaultOneDnnPolicy); on those with AVX2 alone Eigen does, unless the variable is 1.
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
_ONEDNN_FLAGS = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}


def import_tensorflow() -> ModuleType:
    """Import TensorFlow where nobody has imported it, and let it find its devices, quietly.

    Whoever imported it before has seen its remarks, or has seen to them.
    """
    if "tensorflow" not in sys.modules:
        with hidden_remarks():
            import tensorflow as tf

            tf.config.list_physical_devices()  # or CUDA's remarks would come with the first model
    return import_module("tensorflow")


def import_keras(*, trains: bool = False) -> None:
    """Import Keras with its backend, quietly where that is TensorFlow.

    Args:
        trains: Whether for a training, for which TensorFlow is imported with oneDNN on every CPU
            with AVX2, unless the caller has set `TF_ENABLE_ONEDNN_OPTS`. Steps are up to 2.6 times
            as fast; a prediction for one image takes up to three times as long, so elsewhere it
            stays off. docs/speed.md has the figures.
    """
    if trains and "tensorflow" not in sys.modules and lacks_onednn():
        os.environ[ONEDNN] = "1"
    if "keras" not in sys.modules:
        with hidden_remarks():
            import keras

            if keras.backend.backend() == "tensorflow":
                import tensorflow as tf

                tf.config.list_physical_devices()


def lacks_onednn() -> bool:
    """Return whether TensorFlow leaves oneDNN off here, and nobody has decided it."""
    flags = cpu_flags()
    return ONEDNN not in os.environ and "avx2" in flags and not flags & _ONEDNN_FLAGS


@contextlib.contextmanager
def hidden_remarks() -> Iterator[None]:
    """Hide TensorFlow's remarks in a block that imports it; what else is written comes behind it.

    All is shown where the import fails, or where the caller has set `TF_CPP_MIN_LOG_LEVEL` to 0;
    another level of the caller's stays. TensorFlow writes its first lines before it reads it.
    """
    level = os.environ.setdefault(LOG_LEVEL, _FATAL)
    try:
        stderr = os.dup(2)
    except OSError:  # closed
        yield
        return
    failed = True
    with tempfile.TemporaryFile() as written:
        if level != _SHOW_ALL:
            os.dup2(written.fileno(), 2)
        try:
            yield
            failed = False
        finally:
            os.dup2(stderr, 2)
            os.write(stderr, _read(written, everything=failed))
            os.close(stderr)


def _read(written: IO[bytes], *, everything: bool) -> bytes:
    """Return what was written to a file, without TensorFlow's remarks unless they are asked for."""
    written.seek(0)
    lines = written.readlines()
    if everything:
        return b"".join(lines)
    return b"".join(x for x in lines if not _REMARKS.match(x.decode("utf-8", "replace")))
