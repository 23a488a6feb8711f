"""The command line: `main`, the commands, and what they print.

May import everything else. Imports nothing slow before a command needs it.
"""

from keras_fm.cli.app import main

__all__ = ["main"]
