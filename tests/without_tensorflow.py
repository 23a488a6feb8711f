"""A Python without TensorFlow, for trainings on JAX."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import helpers
import pytest


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
    names = "tensorflow", "tensorboard", "tensorflow_datasets"
    (folder / "sitecustomize.py").write_text(
        f"import sys\nsys.modules.update(dict.fromkeys({names}))\n"
    )
    process = subprocess.run(
        [sys.executable, *map(str, arguments)], text=True, check=False, cwd=root,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{root}", "KERAS_BACKEND": "jax",
                          "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    return process.returncode, process.stdout
