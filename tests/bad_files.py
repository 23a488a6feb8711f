"""Image files, by what is odd or wrong about them; each made anew from a random generator."""

import base64
import io
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

Random = np.random.Generator
Maker = Callable[[Random], bytes]


def picture(random: Random, mode: str = "RGB") -> Image.Image:
    """Some colours that flow into each other."""
    colours = random.integers(0, 256, (3, 3, 3), dtype=np.uint8)
    size = random.integers(1, 70, 2).tolist()
    return Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC).convert(mode)


def file(random: Random, kind: str, mode: str = "RGB", **options: Any) -> bytes:
    """Such a picture as a file that Pillow writes."""
    stream = io.BytesIO()
    picture(random, mode).save(stream, kind, **options)
    return stream.getvalue()


def turned(random: Random) -> Image.Exif:
    """EXIF that turns a picture."""
    exif = Image.Exif()
    exif[0x0112] = int(random.integers(1, 9))
    return exif


def png(rows: int, columns: int, data: bytes = b"") -> bytes:
    """A colour PNG that says it has so many, whatever its data are."""
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(data),
        b"IEND": b"",
    }
    chunks = [
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part))
        for kind, part in parts.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@cache
def bomb() -> bytes:
    """A whole PNG of a hundred kilobytes, 6000 x 6000 black pixels."""
    return png(6000, 6000, bytes(6000 * 18001))


def scans(random: Random, count: int) -> bytes:
    """A progressive JPEG that sends its last scan so many times more."""
    whole = file(random, "JPEG", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + count * last + whole[-2:]


def sized(random: Random, rows: int, columns: int) -> bytes:
    """A JPEG whose header says that it has so many."""
    whole = file(random, "JPEG")
    place = whole.index(b"\xff\xc0") + 5
    return whole[:place] + struct.pack(">HH", rows, columns) + whole[place + 4 :]


def cut(random: Random, whole: bytes) -> bytes:
    """A part of it, from the beginning."""
    return whole[: random.integers(len(whole))]


def flipped(random: Random, whole: bytes) -> bytes:
    """It, with another byte in one place."""
    place = random.integers(len(whole))
    other = bytes([whole[place] ^ random.integers(1, 256)])
    return whole[:place] + other + whole[place + 1 :]


ODD: dict[str, Maker] = {
    "a JPEG": lambda random: file(random, "JPEG"),
    "a PNG": lambda random: file(random, "PNG"),
    "a grey JPEG": lambda random: file(random, "JPEG", "L"),
    "a grey PNG": lambda random: file(random, "PNG", "L"),
    "a PNG of two colours": lambda random: file(random, "PNG", "1"),
    "a PNG with a palette": lambda random: file(random, "PNG", "P"),
    "a PNG with alpha": lambda random: file(random, "PNG", "RGBA"),
    "a grey PNG with alpha": lambda random: file(random, "PNG", "LA"),
    "a PNG of 16 bits": lambda random: file(random, "PNG", "I;16"),
    "a PNG with a transparent color": lambda random: file(random, "PNG", "P", transparency=0),
    "a JPEG that EXIF turns": lambda random: file(random, "JPEG", exif=turned(random)),
    "a JPEG with broken EXIF": lambda random: file(
        random, "JPEG", exif=b"Exif\0\0MM\0*" + random.bytes(40)
    ),
    "a JPEG in CMYK": lambda random: file(random, "JPEG", "CMYK"),
    "a progressive JPEG": lambda random: file(random, "JPEG", progressive=True),
    "a JPEG of ten more scans": lambda random: scans(random, 10),
    "a JPEG with a comment": lambda random: file(random, "JPEG", comment=random.bytes(300)),
    "something behind a JPEG": lambda random: file(random, "JPEG") + random.bytes(50),
    "something behind a PNG": lambda random: file(random, "PNG") + random.bytes(50),
}

BROKEN: dict[str, Maker] = {
    "no byte": lambda _: b"",
    "a byte": lambda random: random.bytes(1),
    "noise": lambda random: random.bytes(random.integers(2, 2000)),
    "a megabyte of noise": lambda random: random.bytes(2**20),
    "noise behind a JPEG's sign": lambda random: b"\xff\xd8\xff" + random.bytes(200),
    "noise behind a PNG's sign": lambda random: b"\x89PNG\r\n\x1a\n" + random.bytes(200),
    "noise behind a PNG's header": lambda random: png(30, 30)[:33] + random.bytes(200),
    "a text": lambda _: b"photo.jpg",
    "a web page": lambda _: b"<!doctype html><title>404</title>",
    "a drawing": lambda _: b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "base64": lambda random: base64.b64encode(file(random, "PNG")),
    "a cut JPEG": lambda random: cut(random, file(random, "JPEG")),
    "a cut progressive JPEG": lambda random: cut(random, file(random, "JPEG", progressive=True)),
    "a cut PNG": lambda random: cut(random, file(random, "PNG")),
    "a PNG with another byte": lambda random: flipped(random, file(random, "PNG")),
    "a PNG without data": lambda _: png(20, 20),
    "a PNG with few data": lambda _: png(20, 20, bytes(600)),
    "a PNG without rows": lambda _: png(0, 20),
    "a PNG without columns": lambda _: png(20, 0),
    "a PNG of 40,000 x 40,000": lambda _: png(40_000, 40_000),
    "a PNG of the largest size": lambda _: png(2**31 - 1, 2**31 - 1),
    "a PNG of more than that": lambda _: png(2**32 - 1, 2**32 - 1),
    "a PNG of 36 million pixels": lambda _: bomb(),
    "a JPEG of 65,500 x 65,500": lambda random: sized(random, 65_500, 65_500),
    "a JPEG without rows": lambda random: sized(random, 0, 20),
    "a JPEG without columns": lambda random: sized(random, 20, 0),
    "a JPEG of a thousand scans": lambda random: scans(random, 1000),
    "a GIF": lambda random: file(random, "GIF"),
    "a BMP": lambda random: file(random, "BMP"),
    "a TIFF": lambda random: file(random, "TIFF"),
    "a WebP's sign": lambda random: b"RIFF\x20\0\0\0WEBPVP8 " + random.bytes(40),
}

UNSURE: dict[str, Maker] = {  # a JPEG has no check sums
    "a JPEG with another byte": lambda random: flipped(random, file(random, "JPEG")),
    "a JPEG of other rows": lambda random: sized(random, 64, 64),
}
