"""Completion of command lines by the shell: `completion`."""

import argparse
import os
from typing import Any

from keras_fm.cli.common import add_command
from keras_fm.errors import KerasFmError

SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands,
        _completion,
        "print the code that lets a shell complete commands, options and models",
        'eval "$(keras-fm completion bash)"              # in ~/.bashrc',
        'eval "$(keras-fm completion zsh)"               # in ~/.zshrc',
        "keras-fm completion fish > ~/.config/fish/completions/keras-fm.fish",
        needs_keras=False,
    )
    command.add_argument("shell", choices=SHELLS, help="the shell")


def complete(parser: argparse.ArgumentParser) -> None:
    """Print the completions and exit, if it is a shell that asks for them."""
    if "_ARGCOMPLETE" in os.environ:
        _argcomplete().autocomplete(parser)


def _completion(options: argparse.Namespace) -> int:
    print(_argcomplete().shellcode(["keras-fm"], shell=options.shell))
    return 0


def _argcomplete() -> Any:
    try:
        import argcomplete
    except ImportError:
        raise KerasFmError(
            "the completion needs argcomplete: pip install 'keras_fm[completion]'"
        ) from None
    return argcomplete
