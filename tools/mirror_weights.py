"""Copies the released weights into a folder that any static host can serve.

    python tools/mirror_weights.py DIRECTORY [MODEL ...]

Each file is named after its sha256, so it never changes; files that are there already stay, also
those of other releases. `KERAS_FM_WEIGHTS_URL`, set to the folder's address, makes it the first
mirror. Beside the files lie `index.json`, which says what each one is, and `SHA256SUMS` for
`sha256sum --check`.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_fm import registry, store
from keras_fm.errors import KerasFmError, WeightsError
from keras_fm.files import atomic_path, atomic_write
from keras_fm.store import cache, inventory


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("directory", type=Path)
    parser.add_argument("model", nargs="*", help="MODEL or MODEL.TAG (default: all)")
    options = parser.parse_args()
    for path in lay_out(options.directory, options.model):
        print(path)


def lay_out(directory: Path, names: Sequence[str] = ()) -> list[Path]:
    """Copy the weights of models into the mirror's folder, and list them in its index.

    Args:
        directory: The folder.
        names: `"model"` or `"model.tag"`; none for all.

    Raises:
        WeightsError: A file that is there already is not what its name says.
    """
    directory.mkdir(parents=True, exist_ok=True)
    index = _read_index(directory)
    copied = []
    for name in dict.fromkeys(item.name for item in inventory.list_weights(names)):
        package, tag = registry.find(name)
        source = store.find_weights(package, tag)
        record = package.entry.weights_of(tag)
        path = directory / cache.file_name(record.sha256)
        if not path.exists():
            with atomic_path(path) as partial:
                shutil.copyfile(source.path, partial)
        store.check_sha256(store.WeightsFile(path, record.sha256))
        description = {
            "model": package.name,
            "tag": tag,
            "file_size": record.file_size,
            "license": record.license,
        }
        index[path.name] = {**description, "sha256": record.sha256, "metrics": record.metrics}
        copied.append(path)
    _write(directory / "index.json", json.dumps(dict(sorted(index.items())), indent=2) + "\n")
    sums = [f"{entry['sha256']}  {name}\n" for name, entry in sorted(index.items())]
    _write(directory / "SHA256SUMS", "".join(sums))
    return copied


def _read_index(directory: Path) -> dict[str, Any]:
    path = directory / "index.json"
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except ValueError as error:
        raise WeightsError(f"{path} is no index of a mirror: {error}") from None


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as stream:
        stream.write(text)


if __name__ == "__main__":
    try:
        main()
    except KerasFmError as error:
        raise SystemExit(f"mirror_weights: {error}") from None
