"""The weights files on this machine: `cache list`, `verify`, `clear` and `prefetch`."""

import argparse
from typing import Any

from keras_fm import registry
from keras_fm.cli.common import add_command
from keras_fm.cli.printing import print_table

EXAMPLES = """examples:
  keras-fm cache list
  keras-fm cache prefetch cifar_cnn     # before going offline: KERAS_FM_OFFLINE=1
  keras-fm cache verify
  keras-fm cache clear cifar_cnn.v1

KERAS_FM_HOME          directory of downloads
KERAS_FM_WEIGHTS_URL   a mirror that is tried first: https://, hf://owner/repository or file://
KERAS_FM_OFFLINE=1     open no socket
"""


def add(verbs: Any) -> None:
    """Add the commands of `keras-fm cache` to the parser."""
    summary = "manage weights files on this machine"
    parser = verbs.add_parser(
        "cache",
        help=summary,
        description=summary,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for run, what, example in (
        (_list, "list weights files and where they are", "keras-fm cache list"),
        (_verify, "check the sha256 of each file", "keras-fm cache verify"),
        (_clear, "delete downloaded files", "keras-fm cache clear cifar_cnn"),
        (_prefetch, "download missing files", "keras-fm cache prefetch cifar_cnn lstm.v1"),
    ):
        verb = add_command(actions, run, what, example, needs_keras=False)
        verb.add_argument("model", nargs="*", help="MODEL or MODEL.TAG (default: all)")


def _list(options: argparse.Namespace) -> int:
    from keras_fm.store import cache, inventory

    items = inventory.list_weights(options.model) + ([] if options.model else inventory.orphaned())
    rows = [("weights", "bytes", "where", "sha256")]
    rows += [(i.name, f"{i.bytes:,}", i.place or "not here", i.sha256[:12]) for i in items]
    print_table(rows)
    print(f"\nthe cache: {cache.folder()}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from keras_fm.store import inventory

    items = inventory.list_weights(options.model) + ([] if options.model else inventory.orphaned())
    here = [item for item in items if item.path is not None]
    print_table([("weights", "", "file")] + [
        (item.name, "ok" if item.whole else "DAMAGED", str(item.path)) for item in here
    ])  # fmt: skip
    if all(item.whole for item in here):
        return 0
    print("\nkeras-fm cache prefetch downloads what is damaged again")
    return 1


def _clear(options: argparse.Namespace) -> int:
    from keras_fm.store import cache, inventory

    only = (
        {item.sha256 for item in inventory.list_weights(options.model)} if options.model else None
    )
    for path in (gone := cache.clear(only)):
        print(f"deleted {path}")
    print(f"{len(gone)} files deleted from {cache.folder()}")
    return 0


def _prefetch(options: argparse.Namespace) -> int:
    from keras_fm import store
    from keras_fm.store import inventory

    for name in dict.fromkeys(item.name for item in inventory.list_weights(options.model)):
        package, tag = registry.find(name)
        print(f"{name}  {store.find_weights(package, tag).path}", flush=True)
    return 0
