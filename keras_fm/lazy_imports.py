"""TensorFlow as `tf`, imported by the first use: on JAX a training needs none.

A module writes `from keras_fm.lazy_imports import tf` instead of `import tensorflow as tf`, so it
can be imported where TensorFlow is not installed. Packages and modules that are of no use without
TensorFlow, such as `exporting`, import it as usual.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from keras_fm.errors import MissingPackageError
from keras_fm.startup import import_tensorflow


def has_tensorflow() -> bool:
    """Return whether TensorFlow is installed, without importing it."""
    return find_spec("tensorflow") is not None


class _LazyTensorFlow:
    """Has the names of the module `tensorflow`, which the first one imports."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # inspection of this object, such as by `doctest` or `copy`
            raise AttributeError(name)
        if not has_tensorflow():
            raise MissingPackageError(
                "this needs tensorflow, which is not installed: pip install tensorflow"
            )
        value = getattr(import_tensorflow(), name)
        setattr(self, name, value)  # the next use is as fast as that of a module
        return value


if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = _LazyTensorFlow()
