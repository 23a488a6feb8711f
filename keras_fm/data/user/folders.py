"""Folders of examples, with a folder for each class."""

import re
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

from keras_fm.data.user.raw_examples import DataNotes, RawExamples
from keras_fm.errors import DataError
from keras_fm.file_errors import missing_file, unreadable_file
from keras_fm.formatting import choose_form, format_count, format_names

# What systems put beside a user's files; anything that begins with a dot is hidden.
_SYSTEM_FOLDERS = {
    "$recycle.bin", "@eadir", "@recycle", "#recycle", "__macosx", "__pycache__", "lost+found",
    "system volume information",
}  # fmt: skip
_SYSTEM_FILES = {"desktop.ini", "ehthumbs.db", "icon\r", "thumbs.db"}

_MAX_SUFFIXES = 3  # that a message lists
_SPLIT = re.compile(
    r"((?P<train>train|training)|(?P<validation>val|valid|validation|dev|development)"
    r"|test|testing|eval|evaluation|holdout)([ _-]?(set|split|data|images|texts))?\d*",
    re.IGNORECASE,
)


def read_folder(path: Path, suffixes: set[str], noun: str) -> RawExamples:
    """Read the paths of the files in a folder that has a folder for each class.

    Args:
        path: The folder.
        suffixes: Of the files to read.
        noun: What the files are, for messages.

    Returns:
        Paths as inputs, and as targets the names of the folders.

    Raises:
        DataError: There is no such folder, its folders are splits, or it has fewer than two
            classes.
    """
    notes, files, names = DataNotes(), list[Path](), list[str]()
    for folder in list_classes(path, noun):
        all_files = list_files(folder)
        matching = [x for x in all_files if x.suffix.lower() in suffixes]
        files += matching
        names += [folder.name] * len(matching)
        if len(matching) < len(all_files):
            notes.warn(describe_other_files(folder, all_files, suffixes, noun))
        if not matching:
            notes.warn(f"{folder} holds no {noun}: it is no class")
    num_classes = len(set(names))
    loose = [x for x in _list(path) if x.is_file() and x.suffix.lower() in suffixes]
    if num_classes < 2:
        raise DataError(_describe_missing_classes(path, sorted(set(names)), len(loose), noun))
    if loose:
        notes.warn(
            f"{_describe_loose(path, len(loose), noun)}, beside the folders of the classes, and "
            f"{choose_form(len(loose), 'is', 'are')} left out: "
            f"{format_names(_relative(loose, path))}"
        )
    return RawExamples(
        files,
        names,
        f"{path}: {len(files):,} {noun} of {num_classes} classes",
        notes=notes,
        names=_relative(files, path),
    )


def describe_other_files(folder: Path, files: Sequence[Path], suffixes: Set[str], noun: str) -> str:
    """Say which files of a folder are left out, for they are of another kind.

    Args:
        folder: The folder.
        files: All files in it.
        suffixes: Of the files that are read.
        noun: What these are, in the plural.
    """
    others = [file for file in files if file.suffix.lower() not in suffixes]
    singular = noun.removesuffix("s")
    article = "an" if singular[0] in "aeiou" else "a"
    kind = choose_form(len(others), f"is not {article} {singular}", f"are not {noun}")
    expected = f" ({', '.join(sorted(suffixes))})" * (len(suffixes) <= _MAX_SUFFIXES)
    return (
        f"{len(others):,} of {format_count(len(files), 'file')} in {folder} {kind}{expected} and "
        f"{choose_form(len(others), 'is', 'are')} left out: "
        f"{format_names(_relative(others, folder))}"
    )


def _describe_missing_classes(path: Path, classes: Sequence[str], num_loose: int, noun: str) -> str:
    """Say why a folder has fewer than two classes, and what to do."""
    if num_loose and not classes:
        return f"{_describe_loose(path, num_loose, noun)}; put them in one folder per class"
    received = f"one, {classes[0]}/" if classes else f"no folder with {noun}"
    loose = f"; {_describe_loose(path, num_loose, noun)}" if num_loose else ""
    return (
        f"{path}: expected a folder of {noun} for each of two classes or more; received "
        f"{received}{loose}"
    )


def _describe_loose(path: Path, count: int, noun: str) -> str:
    verb = choose_form(count, "lies", "lie")
    return f"{format_count(count, noun.removesuffix('s'))} {verb} directly in {path}/"


def _relative(files: Sequence[Path], folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in files]


def list_classes(path: Path, noun: str) -> list[Path]:
    """Return the folders of the classes in a folder, links to folders among them, sorted.

    Args:
        path: The folder.
        noun: What the examples are, for messages.

    Raises:
        DataError: There is no such folder, it can't be read, or its folders are splits.
    """
    if not path.is_dir():
        expected = f"expected a folder with a folder of {noun} a class"
        if path.exists():
            raise DataError(f"{path} is a file; {expected}")
        raise DataError(f"{expected}: {missing_file(path, 'folder')}")
    ancestors = _with_ancestors(path)
    folders = [x for x in _list(path) if x.is_dir() and x.resolve() not in ancestors]
    _check_no_splits(path, folders)
    return folders


def list_files(folder: Path) -> list[Path]:
    """Return the files in a class's folder and in its folders, sorted; links are followed.

    A link to a folder in which it lies, at any level, is passed over. Broken links are among the
    files: reading them fails, and is counted.

    Raises:
        DataError: A folder in it can't be read.
    """
    return sorted(_walk(folder, {folder.resolve(), *_with_ancestors(folder.parent)}))


def _with_ancestors(folder: Path) -> set[Path]:
    """Return where a folder and the folders above it lie, which a link must not lead back to."""
    target = folder.resolve()
    return {target, *target.parents}


def _walk(folder: Path, visited: set[Path]) -> Iterator[Path]:
    for entry in _list(folder):
        if not entry.is_dir():
            if entry.is_file() or entry.is_symlink():
                yield entry
        elif (target := entry.resolve()) not in visited:
            visited.add(target)
            yield from _walk(entry, visited)


def _list(folder: Path) -> list[Path]:
    """Return what lies in a folder, sorted, without hidden files and those of the system."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(unreadable_file(folder, error, "folder")) from None
    ignored = _SYSTEM_FOLDERS | _SYSTEM_FILES
    return [x for x in entries if x.name[0] != "." and x.name.lower() not in ignored]


def _check_no_splits(path: Path, folders: Sequence[Path]) -> None:
    """Raise a `DataError` where the folders are splits, as in `photos/train/cat`."""
    splits = [(folder, match) for folder in folders if (match := _SPLIT.fullmatch(folder.name))]
    training = [folder for folder, match in splits if match["train"]]
    others = [folder for folder, match in splits if not match["train"]]
    validation = [folder for folder, match in splits if match["validation"]]
    # Beside a split for training and another one, further folders are no classes either.
    if not splits or (len(splits) < len(folders) and not (training and others)):
        return
    data, *_ = training or others
    options = f"data={str(data)!r}"
    if training and others:
        options += f", validation_data={str((validation or others)[0])!r}"
    raise DataError(f"{path} holds splits, not classes; name them: {options}")
