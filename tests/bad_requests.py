"""Unusual and invalid requests to any signature of an export, drawn by a seed.

Some are only unusual, and must get a response: an empty batch, a text without a word. The others
must be refused, in a message that names the input.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bad_files
import numpy as np

Arrays = dict[str, np.ndarray]
Random = np.random.Generator

ASSERTION = "assertion failed: ["  # what TensorFlow puts before our messages
LOADER_MESSAGES = (
    "takes [",
    "Type mismatch: actual ",
)  # the session's messages on names and dtypes
DTYPES = ("float32", "float64", "float16", "int32", "int64", "uint8", "bool", "complex64", "object")
MAX_CHARACTERS = 4000  # that a character model reads or writes
MEGABYTE = 2**20
SHORT = {
    "nothing": b"",
    "spaces": b" \t\r\n ",
    "zero bytes": b"\0a\0b\0",
    "control characters": bytes(range(32)) + "\x7f\x80\x9f".encode(),
    "signs of direction": "\u202ea\u2066b\ufeff\u200d".encode(),
    "one accent on the other": ("e" + "\u0301" * 500).encode(),
    "emoji": "👩‍👩‍👧‍👦".encode() * 50,
    "Chinese": "电影很好看".encode() * 50,
    "tags": b"<br />" * 90 + b"<" * 300,
    "masks": b"[MASK]" * 60 + b" [MASK] [mask] [CLS][SEP][PAD]",
    "private characters": "\ue000\U000f0000\U0010ffff".encode(),
    "a format": b"%s%n{}{0}$(ls)\\",
    "all bytes": bytes(range(256)),
    "no UTF-8": b"a\xff\xfe good film\x80\xc0\xaf",
    "a surrogate": b"good \xed\xa0\x80 film",
    "a cut character": "très".encode()[:3],
    "more than Unicode": b"\xf4\x90\x80\x80\xfd\xbf\xbf\xbf\xbf\xbf",
}
LONG = {  # a megabyte of
    "one word": b"a",
    "spaces": b" ",
    "words": " ".join(f"w{number}" for number in range(2**17)).encode(),
    "signs": b"<",
    "masks": b"[MASK] ",
    "noise": np.random.default_rng(0).bytes(MEGABYTE),
    "continued characters": b"\x80",
    "zero bytes": b"\0",
    "emoji": "🙂".encode(),
}
FAR = (3e38, -3e38, 1e30, -1e9, 1e6)  # finite, and impossible in any table


@dataclass(frozen=True)
class Request:
    """A request to a signature.

    Attributes:
        signature: Its name.
        description: What is unusual or invalid.
        inputs: By name.
        messages: One of them is in the error; none where the request must get a response.
        is_optional: Whether an error and a response are both right, as for numbers for which some
            models have no finite prediction.
    """

    signature: str
    description: str
    inputs: Arrays
    messages: tuple[str, ...] = ()
    is_optional: bool = False


def requests(examples: dict[str, Arrays], seed: int) -> Iterator[Request]:
    """Yield requests without end, the same for a seed; first an empty batch to each signature.

    Args:
        examples: Valid inputs of each signature, a row each.
        seed: Of the requests.
    """
    for signature, example in examples.items():
        yield Request(signature, "an empty batch", {name: v[:0] for name, v in example.items()})
    number = 0
    while True:
        random = np.random.default_rng([seed, number])
        signature = str(random.choice([*examples]))
        rows = int(random.integers(1, 6))
        inputs = {name: value.repeat(rows, 0) for name, value in examples[signature].items()}
        draw = _invalid_form if random.random() < 0.3 else _unusual_value
        yield draw(signature, inputs, random)
        number += 1


def _invalid_form(signature: str, inputs: Arrays, random: Random) -> Request:
    """Draw other names, another dtype or another shape."""
    name = str(random.choice([*inputs]))
    value, others = inputs[name], {other: v for other, v in inputs.items() if other != name}
    kind = int(random.integers(7))
    if kind == 0:
        return Request(signature, f"without {name}", others, LOADER_MESSAGES)
    if kind == 1:
        return Request(signature, "with one more", {**inputs, "more": value}, LOADER_MESSAGES)
    if kind == 2:
        return Request(
            signature, f"{name} misspelled", {**others, name + "s": value}, LOADER_MESSAGES
        )
    if kind == 3:
        dtype = str(random.choice([dtype for dtype in DTYPES if value.dtype != dtype]))
        other = np.full(value.shape, b"7", object) if dtype == "object" else np.ones(value.shape)
        description = f"{name} as {dtype}"
        return Request(
            signature, description, {**others, name: other.astype(dtype)}, LOADER_MESSAGES
        )
    if kind == 4 and len(inputs) > 1:
        longer = np.concatenate([value, value[:1], value[:1]])
        description, messages = f"two more rows of {name}", ("as many rows in each input",)
        # A single row of the others may be broadcast.
        return Request(signature, description, {**others, name: longer}, messages, len(value) == 1)
    shape = _other_shape(value, random)
    reshaped = np.resize(value, shape) if shape else np.array(value[0], value.dtype)
    description = f"{name} {list(reshaped.shape)}"
    return Request(signature, description, {**others, name: reshaped}, (f"{name}: expected ",))


def _other_shape(value: np.ndarray, random: Random) -> tuple[int, ...]:
    """Draw another rank; or no elements, other channels or another size, where that is possible."""
    rows, *inner = value.shape
    kind = int(random.integers(6))
    if kind == 0 and inner:
        inner[random.integers(len(inner))] = 0
    elif kind == 1 and value.ndim == 4:
        inner[2] = int(random.choice([depth for depth in (1, 2, 3, 4, 32) if depth != inner[2]]))
    elif kind == 2 and value.ndim > 1 and value.dtype.kind == "f":
        inner[random.integers(len(inner))] += int(random.choice([-1, 1]))
    elif kind == 3:
        return tuple(inner)
    else:
        inner = [1] * int(random.integers(1, 5)) + inner
    return (rows, *inner)


def _unusual_value(signature: str, inputs: Arrays, random: Random) -> Request:
    """Draw an unusual or invalid value in one row of one input; the other rows are valid."""
    name = str(random.choice([*inputs]))
    value = inputs[name].copy()
    row = int(random.integers(len(value)))
    description, cell, is_valid = _unusual_cell(name, value[row], random)
    if isinstance(cell, np.ndarray) and cell.shape != value[row].shape:
        value, row = cell[None], 0  # of another size than the others, so it is sent alone
        inputs = {other: values[:1] for other, values in inputs.items()}
    else:
        value[row] = cell
    description = f"{name}, row {row} of {len(value)}: {description}"
    messages = (f"{name}, row {row}: ", f"row {row} has no finite prediction")
    return Request(
        signature,
        description,
        {**inputs, name: value},
        () if is_valid else messages,
        is_valid is None,
    )


def _unusual_cell(name: str, valid: Any, random: Random) -> tuple[str, Any, bool | None]:
    """Draw a description, the value, and whether it is valid; None where both may be right."""
    if name == "image_bytes":
        return _unusual_file(random)
    if name in ("image", "latent"):
        return (
            _unusual_pixels(valid, random)
            if valid.dtype == "uint8"
            else _unusual_number(valid, random)
        )
    if name == "text_ids":
        return _unusual_ids(valid, random)
    if name in ("length", "seed", "temperature"):
        return _unusual_option(name, valid, random)
    if name == "label":
        wrong = ["", f"{valid.decode()} ", valid.decode().upper(), "7", "x" * MEGABYTE, "\0"]
        return _pick({label[:20]: label.encode() for label in wrong}, random, False)
    if isinstance(valid, (bytes, str)):
        description, text, is_valid = _unusual_text(random)
        # A table's category and a classifier's text can be anything.
        return description, text, is_valid if name in ("text", "prompt") else True
    cells = {str(number): number for number in (np.nan, np.inf, -np.inf, 0, -0.0, -1, 1e-45, *FAR)}
    description, cell, _ = _pick(cells, random, True)
    return description, cell, False if np.isinf(cell) else None if abs(cell) > 1e3 else True


def _pick(values: dict[str, Any], random: Random, is_valid: bool | None) -> tuple[str, Any, Any]:
    description = str(random.choice([*values]))
    return description, values[description], is_valid


def _unusual_file(random: Random) -> tuple[str, bytes, bool | None]:
    kinds = ((bad_files.ODD, True), (bad_files.BROKEN, False), (bad_files.UNSURE, None))
    makers, is_valid = kinds[random.choice(3, p=[0.3, 0.6, 0.1])]
    description = str(random.choice([*makers]))
    return description, makers[description](random), is_valid


def _unusual_pixels(valid: np.ndarray, random: Random) -> tuple[str, np.ndarray, bool]:
    sizes = {"1 x 1": (1, 1), "1 x 900": (1, 900), "700 x 1": (700, 1), "33 x 31": (33, 31)}
    description, size, _ = _pick({**sizes, "900 x 1600": (900, 1600)}, random, True)
    return description, random.integers(0, 256, (*size, valid.shape[2]), np.uint8), True


def _unusual_number(valid: np.ndarray, random: Random) -> tuple[str, np.ndarray, bool]:
    wrong = {str(number): number for number in (np.nan, np.inf, -np.inf, *FAR)}
    description, number, _ = _pick(wrong, random, False)
    values = valid.copy()
    values.flat[random.integers(values.size)] = number
    return description, values, False


def _unusual_ids(valid: np.ndarray, random: Random) -> tuple[str, np.ndarray, bool]:
    ids = valid[valid != 0]
    kind = int(random.integers(7))
    if kind == 0:
        return "only padding", ids * 0, False
    if kind == 1:
        return "padding before it", np.concatenate([ids[:1] * 0, ids]), False
    if kind == 2:
        return "one alone", ids[:1], True
    if kind == 3:
        return "ten thousand", np.resize(ids, 10_000), True
    number = [0, -1, 2**31 - 1, -(2**31), 10**6][random.integers(5)]
    ids[random.integers(1, len(ids) - 1)] = number
    return f"{number} inside", ids, False


def _unusual_option(name: str, valid: Any, random: Random) -> tuple[str, Any, bool]:
    largest = np.iinfo(valid.dtype).max if valid.dtype.kind == "i" else 3e38
    valid_values = {
        "length": (0, 1, 50),
        "seed": (1, largest),
        "temperature": (0, 1e-45, 1e-9, largest),
    }
    invalid_values = {
        "length": (-1, MAX_CHARACTERS + 1, largest, -largest - 1),
        "seed": (-1, -largest - 1),
        "temperature": (-1e-9, -1, np.nan, np.inf, -np.inf),
    }
    is_valid = bool(random.integers(2))
    values = (valid_values if is_valid else invalid_values)[name]
    return _pick({str(option): option for option in values}, random, is_valid)


def _unusual_text(random: Random) -> tuple[str, bytes, bool | None]:
    """Draw a text of up to a megabyte, which a character model refuses."""
    if random.random() < 0.85:
        return _pick(SHORT, random, True)
    description, text, _ = _pick(LONG, random, None)
    return description, (text * (MEGABYTE // len(text) + 1))[:MEGABYTE], None
