"""How a model of a table reads a column of dates or of times of day, and what it makes of them."""

from typing import Annotated, Literal

from msgspec import Meta

from keras_fm.registry.schema import Struct

DatePart = Literal["elapsed", "month", "day", "weekday", "hour"]

_EXAMPLES = {None: "2024-05-31", True: "31/05/2024", False: "05/31/2024"}


class Dates(Struct, frozen=True, kw_only=True):
    """The format of a column of dates, and the parts of a date that enter a model.

    Dates in ISO 8601 are read whatever the format, with or without a time, and those that name the
    month, such as "31 May 2024" or "May 31, 2024".

    Attributes:
        parts: Days since `origin`, a number; the others are cycles, each a sine and a cosine.
        origin: The first date of the training data, in ISO 8601; None: the column has times of day,
            such as "10:30", whose `elapsed` is the fraction of the day.
        day_first: Whether "03/05/2024" is the third of May; None: such a date is not read.
        utc: Whether times have time zones, and are converted to UTC; those without one are in UTC.
            Else a time with a time zone is not read.
    """

    parts: Annotated[list[DatePart], Meta(min_length=1)]
    origin: str | None = None
    day_first: bool | None = None
    utc: bool = False

    @property
    def width(self) -> int:
        """How many numbers enter the model."""
        return sum(1 if part == "elapsed" else 2 for part in self.parts)

    @property
    def kind(self) -> str:
        """What a cell is, in words, with an example."""
        if self.origin is None:
            return "a time of day such as 10:30"
        examples = dict.fromkeys([_EXAMPLES[None], _EXAMPLES[self.day_first]])
        if "hour" in self.parts:
            examples = {f"{date} 10:30": None for date in examples}
        zone = ", in UTC or with its time zone" if self.utc else ""
        return f"a date such as {' or '.join(examples)}{zone}"

    def describe_parts(self) -> str:
        """Return the parts in words."""
        elapsed = "fraction of the day" if self.origin is None else "elapsed days"
        return ", ".join(elapsed if part == "elapsed" else part for part in self.parts)
