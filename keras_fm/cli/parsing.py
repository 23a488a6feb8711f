"""Command lines: unknown words are refused with the nearest known ones."""

import argparse
from collections.abc import Iterable, Iterator, Sequence

from keras_fm.errors import InvalidInputError, near_names
from keras_fm.familiar_names import SYNONYMS
from keras_fm.registry.tasks import TASKS


def parse(
    parser: argparse.ArgumentParser, arguments: Sequence[str], commands: Sequence[str]
) -> argparse.Namespace:
    """Parse a command line; a wrong one exits with 2.

    Args:
        parser: The parser of all commands.
        arguments: Without the program's name.
        commands: The names of all commands.
    """
    word = next(iter(arguments), "-")
    if not word.startswith("-") and word not in commands:
        near = near_names(word, commands)
        hint = _did_you_mean(near) or f" Known: {', '.join(commands)}."
        parser.error(f"unknown command {word!r}.{hint}")
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        command: argparse.ArgumentParser = options.parser
        hints = "".join(_did_you_mean([hint]) for hint in _hints(command, unknown))
        command.error(f"unrecognized arguments: {' '.join(unknown)}.{hints}")
    return options


def _hints(command: argparse.ArgumentParser, unknown: Sequence[str]) -> Iterator[str]:
    """Return what each unknown flag may be meant for: a flag, or a field of the recipe."""
    flags = [flag for action in command._actions for flag in action.option_strings]
    flag_of_name = {_name_of(flag): flag for flag in flags}
    fields = recipe_fields() if "--set" in flags else []
    for word, follower in zip(unknown, [*unknown[1:], "-"], strict=True):
        flag, _, value = word.partition("=")
        if not flag.startswith("-"):
            continue
        name = _name_of(flag)
        near = _nearest(name, [*flag_of_name, *fields])
        value = value or ("VALUE" if follower.startswith("-") else follower)
        yield from (flag_of_name.get(name, f"--set {name}={value}") for name in near)


def _nearest(name: str, known: Sequence[str]) -> list[str]:
    """Return the known name that is meant by another one, perhaps another library's."""
    meant = [word for word in (name, *SYNONYMS.get(name, ())) if word in known]
    return (meant or near_names(name, known))[:1]


def check_settings(command: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """Check that `--set` names recipe fields, and no arguments of the command.

    Args:
        command: The parser of the command.
        names: What `--set` names.

    Raises:
        InvalidInputError: One is an argument of the command.
    """
    arguments = {action.dest: action for action in command._actions}
    model = arguments.get("model")
    for name in names:
        action = model if name in ("name", "name_or_model") else arguments.get(name)
        if action is None:
            continue
        kind, *flags = ("option", *action.option_strings)
        if not flags:
            kind, flags = "argument", [action.dest.upper()]
        raise InvalidInputError(
            f"--set is for fields of the recipe; {name!r} is an {kind} of the command: {flags[0]}"
        )


def _name_of(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


def recipe_fields() -> list[str]:
    """Return the names of the recipe fields of all tasks."""
    from keras_fm.registry.recipe import recipe_class_of

    classes = map(recipe_class_of, TASKS)
    return [
        *dict.fromkeys(
            field for recipe_class in classes for field in recipe_class.__struct_fields__
        )
    ]


def _did_you_mean(names: Sequence[str]) -> str:
    return f" Did you mean {' or '.join(names)}?" if names else ""
