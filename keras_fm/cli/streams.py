"""The streams of the terminal: closed ones are replaced, and what they can't show is escaped."""

import io
import os
import sys


def prepare_streams() -> None:
    r"""Let every command print whatever it has to, on any terminal, log file or service.

    A character that the encoding of a stream lacks is written as its escape, such as `\u732b`. A
    stream or descriptor that the process was started without becomes `os.devnull`.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # the next file that is opened would get its number
            os.open(os.devnull, os.O_RDWR)
    # They stay open as long as the process.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
