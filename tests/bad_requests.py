"""Requests that no client should send, for any signature of an export, made anew from each seed.

Some are only odd, and have to be answered: an empty batch, a text without a word. The others have
to be refused, in a sentence that names the input.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bad_files
import numpy as np

Arrays = dict[str, np.ndarray]
Random = np.random.Generator

REFUSED = "assertion failed: ["  # what TensorFlow puts before a sentence of ours
LOADER = ("takes [", "Type mismatch: actual ")  # the session's words on names and dtypes
DTYPES = ("float32", "float64", "float16", "int32", "int64", "uint8", "bool", "complex64", "object")
MOST = 4000  # characters that a model of characters reads or writes
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

    about: what is odd about it. refused: one of these is in the error; without any it is answered.
    or_answered: both are right, as for numbers that some models have no finite prediction to.
    """

    signature: str
    about: str
    inputs: Arrays
    refused: tuple[str, ...] = ()
    or_answered: bool = False


def requests(examples: dict[str, Arrays], seed: int) -> Iterator[Request]:
    """Requests without end, the same ones for a seed: first an empty batch to each signature.

    Args:
        examples: good inputs of each signature, a row each.
    """
    for signature, example in examples.items():
        yield Request(signature, "an empty batch", {name: v[:0] for name, v in example.items()})
    number = 0
    while True:
        random = np.random.default_rng([seed, number])
        signature = str(random.choice([*examples]))
        rows = int(random.integers(1, 6))
        inputs = {name: value.repeat(rows, 0) for name, value in examples[signature].items()}
        wrong = _wrong_form if random.random() < 0.3 else _wrong_value
        yield wrong(signature, inputs, random)
        number += 1


def _wrong_form(signature: str, inputs: Arrays, random: Random) -> Request:
    """Another set of names, another dtype, another shape."""
    name = str(random.choice([*inputs]))
    value, others = inputs[name], {other: v for other, v in inputs.items() if other != name}
    kind = int(random.integers(7))
    if kind == 0:
        return Request(signature, f"without {name}", others, LOADER)
    if kind == 1:
        return Request(signature, "with one more", {**inputs, "more": value}, LOADER)
    if kind == 2:
        return Request(signature, f"{name} misspelt", {**others, name + "s": value}, LOADER)
    if kind == 3:
        dtype = str(random.choice([dtype for dtype in DTYPES if value.dtype != dtype]))
        other = np.full(value.shape, b"7", object) if dtype == "object" else np.ones(value.shape)
        about = f"{name} as {dtype}"
        return Request(signature, about, {**others, name: other.astype(dtype)}, LOADER)
    if kind == 4 and len(inputs) > 1:
        one_more = np.concatenate([value, value[:1], value[:1]])
        about, refused = f"two more rows of {name}", ("as many rows in each input",)
        # Where there is but one of the others, it may stand for all.
        return Request(signature, about, {**others, name: one_more}, refused, len(value) == 1)
    shape = _other_shape(value, random)
    reshaped = np.resize(value, shape) if shape else np.array(value[0], value.dtype)
    about = f"{name} {list(reshaped.shape)}"
    return Request(signature, about, {**others, name: reshaped}, (f"{name}: expected ",))


def _other_shape(value: np.ndarray, random: Random) -> tuple[int, ...]:
    """Of another rank; or with nothing in it, of another depth or size, where that is possible."""
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


def _wrong_value(signature: str, inputs: Arrays, random: Random) -> Request:
    """A value that is odd or wrong in one row of one input; the other rows are good."""
    name = str(random.choice([*inputs]))
    value = inputs[name].copy()
    row = int(random.integers(len(value)))
    about, odd, right = _odd(name, value[row], random)
    if isinstance(odd, np.ndarray) and odd.shape != value[row].shape:
        value, row = odd[None], 0  # of another size than the others, so it goes alone
        inputs = {other: given[:1] for other, given in inputs.items()}
    else:
        value[row] = odd
    about = f"{name}, row {row} of {len(value)}: {about}"
    refused = () if right else (f"{name}, row {row}: ", f"row {row} has no finite prediction")
    return Request(signature, about, {**inputs, name: value}, refused, right is None)


def _odd(name: str, good: Any, random: Random) -> tuple[str, Any, bool | None]:
    """What is odd, the value, and whether it is answered; None where both is right."""
    if name == "image_bytes":
        return _odd_file(random)
    if name in ("image", "latent"):
        return _odd_pixels(good, random) if good.dtype == "uint8" else _odd_number(good, random)
    if name == "text_ids":
        return _odd_ids(good, random)
    if name in ("length", "seed", "temperature"):
        return _odd_option(name, good, random)
    if name == "label":
        wrong = ["", f"{good.decode()} ", good.decode().upper(), "7", "x" * MEGABYTE, "\0"]
        return _pick({one[:20]: one.encode() for one in wrong}, random, False)
    if isinstance(good, (bytes, str)):
        about, text, right = _odd_text(random)
        # A table's category and a classifier's text can be anything.
        return about, text, right if name in ("text", "prompt") else True
    cells = {str(one): one for one in (np.nan, np.inf, -np.inf, 0, -0.0, -1, 1e-45, *FAR)}
    about, cell, _ = _pick(cells, random, True)
    return about, cell, False if np.isinf(cell) else None if abs(cell) > 1e3 else True


def _pick(values: dict[str, Any], random: Random, right: bool | None) -> tuple[str, Any, Any]:
    about = str(random.choice([*values]))
    return about, values[about], right


def _odd_file(random: Random) -> tuple[str, bytes, bool | None]:
    kinds = ((bad_files.ODD, True), (bad_files.BROKEN, False), (bad_files.UNSURE, None))
    makers, right = kinds[random.choice(3, p=[0.3, 0.6, 0.1])]
    about = str(random.choice([*makers]))
    return about, makers[about](random), right


def _odd_pixels(good: np.ndarray, random: Random) -> tuple[str, np.ndarray, bool]:
    sizes = {"1 x 1": (1, 1), "1 x 900": (1, 900), "700 x 1": (700, 1), "33 x 31": (33, 31)}
    about, size, _ = _pick({**sizes, "900 x 1600": (900, 1600)}, random, True)
    return about, random.integers(0, 256, (*size, good.shape[2]), np.uint8), True


def _odd_number(good: np.ndarray, random: Random) -> tuple[str, np.ndarray, bool]:
    wrong = {str(one): one for one in (np.nan, np.inf, -np.inf, *FAR)}
    about, number, _ = _pick(wrong, random, False)
    values = good.copy()
    values.flat[random.integers(values.size)] = number
    return about, values, False


def _odd_ids(good: np.ndarray, random: Random) -> tuple[str, np.ndarray, bool]:
    ids = good[good != 0]
    kind = int(random.integers(7))
    if kind == 0:
        return "nothing but padding", ids * 0, False
    if kind == 1:
        return "padding before it", np.concatenate([ids[:1] * 0, ids]), False
    if kind == 2:
        return "one alone", ids[:1], True
    if kind == 3:
        return "ten thousand", np.resize(ids, 10_000), True
    number = [0, -1, 2**31 - 1, -(2**31), 10**6][random.integers(5)]
    ids[random.integers(1, len(ids) - 1)] = number
    return f"{number} inside", ids, False


def _odd_option(name: str, good: Any, random: Random) -> tuple[str, Any, bool]:
    largest = np.iinfo(good.dtype).max if good.dtype.kind == "i" else 3e38
    right = {"length": (0, 1, 50), "seed": (1, largest), "temperature": (0, 1e-45, 1e-9, largest)}
    wrong = {
        "length": (-1, MOST + 1, largest, -largest - 1),
        "seed": (-1, -largest - 1),
        "temperature": (-1e-9, -1, np.nan, np.inf, -np.inf),
    }
    holds = bool(random.integers(2))
    values = (right if holds else wrong)[name]
    return _pick({str(one): one for one in values}, random, holds)


def _odd_text(random: Random) -> tuple[str, bytes, bool | None]:
    """Up to a megabyte, which a model of characters refuses."""
    if random.random() < 0.85:
        return _pick(SHORT, random, True)
    about, text, _ = _pick(LONG, random, None)
    return about, (text * (MEGABYTE // len(text) + 1))[:MEGABYTE], None
