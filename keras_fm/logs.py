"""What other packages log in the middle of our functions, and is no news to their callers."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def left_out(logger_name: str, pattern: str = "") -> Iterator[None]:
    """Run a block, or a function, without a logger's records that match, but with its errors.

    The logger's level and handlers, which are the caller's, stay as they are.

    Args:
        logger_name: Of the logger that the records are written to.
        pattern: Found in the messages; an empty one in all.
    """

    def is_shown(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR or not re.search(pattern, record.getMessage())

    logger = logging.getLogger(logger_name)
    logger.addFilter(is_shown)
    try:
        yield
    finally:
        logger.removeFilter(is_shown)
