"""Weights files on this machine: `cache list`, `verify`, `clear` and `prefetch`."""

import argparse
from typing import TYPE_CHECKING, Any

from keras_fm import registry
from keras_fm.cli.common import add_command
from keras_fm.cli.printing import print_table
from keras_fm.formatting import format_count

if TYPE_CHECKING:
    from keras_fm.store.inventory import InventoryItem

EXAMPLES = """examples:
  keras-fm cache list
  keras-fm cache prefetch cifar_cnn     # while there is a network; later: KERAS_FM_OFFLINE=1
  keras-fm cache verify
  keras-fm cache clear cifar_cnn.v1

environment:
  KERAS_FM_HOME          directory for downloads
  KERAS_FM_WEIGHTS_URL   mirror to try first: https://, hf://owner/repository or file://
  KERAS_FM_OFFLINE=1     never use the network
"""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    summary = "manage the weights files on this machine"
    parser = commands.add_parser(
        "cache",
        help=summary,
        description=summary,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for run, summary, example in (
        (_list, "list weights files and where they are", "keras-fm cache list"),
        (_verify, "compare each file's sha256", "keras-fm cache verify"),
        (_clear, "delete downloaded files", "keras-fm cache clear cifar_cnn"),
        (_prefetch, "download missing files", "keras-fm cache prefetch cifar_cnn lstm.v1"),
    ):
        command = add_command(actions, run, summary, example, needs_keras=False)
        command.add_argument("model", nargs="*", help="MODEL or MODEL.TAG (default: all)")


def _items(names: list[str]) -> "list[InventoryItem]":
    from keras_fm.store import inventory

    return inventory.list_weights(names) + ([] if names else inventory.orphaned())


def _list(options: argparse.Namespace) -> int:
    from keras_fm.store import cache

    rows = [("weights", "bytes", "location", "sha256")]
    rows += [
        (item.name, f"{item.size:,}", item.location or "not here", item.sha256[:12])
        for item in _items(options.model)
    ]
    print_table(rows)
    print(f"\ncache directory: {cache.folder()}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    present = [item for item in _items(options.model) if item.path is not None]
    print_table([("weights", "", "file")] + [
        (item.name, "ok" if item.is_valid else "DAMAGED", str(item.path)) for item in present
    ])  # fmt: skip
    if all(item.is_valid for item in present):
        return 0
    print("\nkeras-fm cache prefetch downloads damaged files again")
    return 1


def _clear(options: argparse.Namespace) -> int:
    from keras_fm.store import cache, inventory

    only = (
        {item.sha256 for item in inventory.list_weights(options.model)} if options.model else None
    )
    deleted = cache.clear(only)
    for path in deleted:
        print(f"deleted {path}")
    print(f"{format_count(len(deleted), 'file')} deleted from {cache.folder()}")
    return 0


def _prefetch(options: argparse.Namespace) -> int:
    from keras_fm import store
    from keras_fm.store import inventory

    for name in dict.fromkeys(item.name for item in inventory.list_weights(options.model)):
        package, tag = registry.find(name)
        print(f"{name}  {store.find_weights(package, tag).path}", flush=True)
    return 0
