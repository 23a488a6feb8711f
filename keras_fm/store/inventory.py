"""Which weights files there are, and where each one lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_fm import registry
from keras_fm.store import cache
from keras_fm.store.files import is_valid


@dataclass(frozen=True)
class Item:
    """A weights file. name: `model.tag`. place: "package" or "cache"; None: not on this machine."""

    name: str
    sha256: str
    bytes: int
    path: Path | None
    place: str | None

    @property
    def whole(self) -> bool:
        """Whether it is what its hash says; it is read for that."""
        return self.path is not None and is_valid(self.path, self.sha256)


def list_weights(names: Sequence[str] = ()) -> list[Item]:
    """The weights of models: an item for each place where they are, or one for none.

    Args:
        names: `"model"` for all of its weights, or `"model.tag"`; none: all there are.
    """
    items: list[Item] = []
    for given in names or registry.list_models():
        room, tag = registry.find(given)
        for each in [tag] if tag else room.entry.weights:
            record = room.entry.weights_of(each)
            shipped, cached = room.path / record.file, cache.file_path(record.sha256)
            name = f"{room.name}.{each}"
            here = [
                Item(name, record.sha256, record.file_size, path, place)
                for place, path in (("package", shipped), ("cache", cached))
                if path.is_file()
            ]
            items += here or [Item(name, record.sha256, record.file_size, None, None)]
    return items


def orphaned() -> list[Item]:
    """Files in the cache that belong to no model that is installed."""
    ours = {item.sha256 for item in list_weights()}
    return [
        Item("of no model here", sha256, path.stat().st_size, path, "cache")
        for sha256, path in cache.files().items()
        if sha256 not in ours
    ]
