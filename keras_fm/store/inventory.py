"""Inventory of weights files: which there are, and where each one is on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_fm import registry
from keras_fm.store import cache
from keras_fm.store.files import is_valid


@dataclass(frozen=True)
class InventoryItem:
    """A weights file, and a location where it is.

    Attributes:
        name: `model.tag`.
        sha256: Of its content.
        size: In bytes.
        path: None where it is not on this machine.
        location: "package" or "cache"; None where it is not on this machine.
    """

    name: str
    sha256: str
    size: int
    path: Path | None
    location: str | None

    @property
    def is_valid(self) -> bool:
        """Whether the file has its sha256; it is read for that."""
        return self.path is not None and is_valid(self.path, self.sha256)


def list_weights(names: Sequence[str] = ()) -> list[InventoryItem]:
    """List the weights of models: an item for each location, or one without a location.

    Args:
        names: `"model"` for all of its weights, or `"model.tag"`; by default all models.
    """
    items: list[InventoryItem] = []
    for model_name in names or registry.list_models():
        package, named_tag = registry.find(model_name)
        for tag in [named_tag] if named_tag else package.entry.weights:
            record = package.entry.weights_of(tag)
            locations = {
                "package": package.path / record.file,
                "cache": cache.file_path(record.sha256),
            }
            name = f"{package.name}.{tag}"
            present = [
                InventoryItem(name, record.sha256, record.file_size, path, location)
                for location, path in locations.items()
                if path.is_file()
            ]
            items += present or [InventoryItem(name, record.sha256, record.file_size, None, None)]
    return items


def orphaned() -> list[InventoryItem]:
    """List the files in the cache that belong to no installed model."""
    known = {item.sha256 for item in list_weights()}
    return [
        InventoryItem("(no installed model)", sha256, path.stat().st_size, path, "cache")
        for sha256, path in cache.files().items()
        if sha256 not in known
    ]
