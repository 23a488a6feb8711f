"""Whether a model is the next version of the one that an export folder holds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_fm.errors import InvalidInputError
from keras_fm.models import export_files

_MAX_LABELS = 5  # that a message shows


def check_same_model(base: Path, info: Mapping[str, Any]) -> None:
    """Check that clients of an export folder can go on with a model as its next version.

    Its task, its classes, its target, and names, types and shapes of its inputs have to be those of
    the highest version. Categories of columns may differ, and so may the model's name: a better
    model takes the same inputs.

    Args:
        base: The folder of the versions, if it is there.
        info: Of the model: `ModelSpec.to_dict`.

    Raises:
        InvalidInputError: They differ, or a version is of another program.
    """
    numbers = export_files.versions(base)
    if not numbers:
        return
    version = base / str(numbers[-1])
    old = export_files.read_info(version)
    if old is None:
        raise InvalidInputError(
            f"{version} is a SavedModel that keras_fm did not write: name another folder than "
            f"{base} for {info['model']}"
        )
    for name, describe in _FACTS.items():
        there, here = describe(old), describe(info)
        if there != here:
            raise InvalidInputError(
                f"{base} holds {old['model']} with the {name} {_shorten(there)} (version "
                f"{version.name}); received {info['model']} with the {name} {_shorten(here)}: name "
                f"another folder, for clients of {base} would be answered by another model"
            )


def _inputs(info: Mapping[str, Any]) -> list[str]:
    return [f"{column['name']!r} {column['dtype']} {column['shape']}" for column in info["inputs"]]


def _target(info: Mapping[str, Any]) -> str:
    return repr(info["target"]["name"]) if info["target"] else "none"


_FACTS = {
    "task": lambda info: info["task"],
    "classes": lambda info: [repr(label) for label in info["labels"]],
    "inputs": _inputs,
    "target": _target,
}


def _shorten(fact: str | list[str]) -> str:
    if isinstance(fact, str):
        return fact
    more = f" and {len(fact) - _MAX_LABELS:,} more" if len(fact) > _MAX_LABELS else ""
    return ", ".join(fact[:_MAX_LABELS]) + more if fact else "none"
