"""A Python without TensorFlow, for trainings on JAX."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import helpers
import pytest

# Python's own finder, but for these packages.
SITE = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "tensorboard", "tensorflow_datasets"):
            return None
        return super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
"""


def run_python(folder: Path, *arguments: Any, root: Path = helpers.ROOT) -> tuple[int, str]:
    """Run Python on JAX as where TensorFlow, TensorBoard and TFDS are not installed.

    Args:
        folder: A new one, for the module that Python imports when it starts.
        *arguments: Of the interpreter.
        root: The folder of the package.

    Returns:
        The exit code, and what was printed.
    """
    pytest.importorskip("jax")
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(SITE)
    process = subprocess.run(
        [sys.executable, *map(str, arguments)], text=True, check=False, cwd=root,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{root}", "KERAS_BACKEND": "jax",
                          "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    return process.returncode, process.stdout
