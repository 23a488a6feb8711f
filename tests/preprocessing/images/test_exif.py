"""Photos are turned by their EXIF orientation, by the same ops in the pipeline and the exports."""

import io
import struct

import helpers
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps, PngImagePlugin

from keras_fm.preprocessing.images import exif
from keras_fm.preprocessing.images.decoding import decode_image
from keras_fm.preprocessing.images.segments import jpeg_exif, png_chunk

ORIENTATION, SHORT, LONG = 0x0112, 3, 4
SIZES = [(5, 9), (40, 23), (1, 7), (8, 8)]
XMP = b'http://ns.adobe.com/xap/1.0/\0<rdf tiff:Orientation="6"/>Exif\0\0MM\0*'


@pytest.fixture(scope="module")
def decode():
    """Decodes a file in a graph, as an export does."""
    signature = [tf.TensorSpec((), tf.string)]
    function = tf.function(lambda file: decode_image(file, 3), input_signature=signature)
    return lambda file: function(file).numpy()


def photo(size, orientation, order="<", kind="JPEG", **options):
    """Return a file with an orientation, in EXIF of a byte order."""
    tags = Image.Exif()
    tags.endian = order
    tags[ORIENTATION] = orientation
    return encode(size, kind, exif=tags, **options)


def encode(size, kind="JPEG", **options):
    stream = io.BytesIO()
    Image.fromarray(helpers.image(*size)).save(stream, kind, **options)
    return stream.getvalue()


def tiff(*entries, order="<", start=8, magic=42, count=None):
    """Return EXIF with the directory of entries (tag, type, count, value)."""
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", magic, start)
    directory = b"".join(
        struct.pack(f"{order}HHI", *fields[:3]) + struct.pack(f"{order}HH", fields[3], 0)
        for fields in entries
    )
    number = struct.pack(f"{order}H", len(entries) if count is None else count)
    return head + bytes(max(0, start - 8)) + number + directory


def segment(marker, content):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def with_segments(*segments):
    """Return a JPEG file with further segments behind its JFIF segment."""
    plain = encode((5, 9))
    end = 4 + struct.unpack(">H", plain[4:6])[0]
    return plain[:end] + b"".join(segments) + plain[end:]


def pillow_transposed(file, pixels):
    """Return pixels as Pillow turns them."""
    image = Image.fromarray(pixels)
    image.getexif().update(Image.open(io.BytesIO(file)).getexif())
    return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize(
    ("kind", "order"),
    helpers.first([("JPEG", "<"), ("PNG", ">"), ("JPEG", ">"), ("PNG", "<")], 2),
)
@pytest.mark.parametrize("orientation", range(10))
def test_a_photo_is_turned_as_by_pillow(orientation, order, kind, decode):
    for size in SIZES:
        file = photo(size, orientation, order, kind)
        stored = tf.io.decode_image(file, 3).numpy()
        np.testing.assert_array_equal(decode(file), pillow_transposed(file, stored))
        assert (decode(file).shape == stored.shape) == (
            orientation not in range(5, 9) or size[0] == size[1]
        )


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_without_exif_keeps_its_pixels(kind, decode):
    for options in ({}, {"quality": 40}, {"progressive": True}):
        file = encode((40, 23), kind, **options)
        np.testing.assert_array_equal(decode(file), tf.io.decode_image(file, 3).numpy())


EXIF_6 = b"Exif\0\0" + tiff((ORIENTATION, SHORT, 1, 6), order=">")
EXIF_8 = b"Exif\0\0" + tiff((ORIENTATION, SHORT, 1, 8))


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([segment(0xE1, EXIF_6)], 6),
        ([segment(0xE1, XMP), segment(0xE1, EXIF_8)], 8),
        ([segment(0xE2, b"ICC" * 20_000), segment(0xFE, EXIF_6), segment(0xE1, EXIF_8)], 8),
        ([b"\xff\xff", segment(0xE1, EXIF_6)], 6),
        ([segment(0xE1, EXIF_6), segment(0xE1, EXIF_8)], 6),
        ([segment(0xE1, XMP)], 1),
        ([segment(0xFE, EXIF_6)], 1),
        ([segment(0xE0, EXIF_6)], 1),
        ([], 1),
    ],
    ids=["after JFIF", "after XMP", "after a profile", "after fill bytes", "the first one",
         "XMP alone", "a comment", "APP0", "none"],
)  # fmt: skip
def test_exif_is_looked_for_in_its_own_segment(segments, expected):
    content = jpeg_exif(tf.constant(with_segments(*segments)))
    assert int(exif.orientation(content)) == expected


def test_grappler_takes_the_graph(capfd):
    # It says on stderr, as users of an export see it, which of its passes fails.
    read = tf.function(exif.orientation, input_signature=[tf.TensorSpec([], tf.string)])
    assert int(read(tiff((ORIENTATION, SHORT, 1, 6), order=">"))) == 6
    assert "failed" not in capfd.readouterr().err


def test_exif_without_jfif_and_behind_the_pixels(decode):
    plain = encode((5, 9))
    end = 4 + struct.unpack(">H", plain[4:6])[0]
    without_jfif = plain[:2] + segment(0xE1, EXIF_6) + plain[end:]
    assert decode(without_jfif).shape == (9, 5, 3)
    behind = plain[:-2] + segment(0xE1, EXIF_6) + plain[-2:]
    assert decode(behind).shape == (5, 9, 3)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("entries", "options", "expected"),
    [
        ([(ORIENTATION, SHORT, 1, 6)], {}, 6),
        ([(0x010F, 2, 4, 6), (ORIENTATION, SHORT, 1, 3), (0x0213, SHORT, 1, 8)], {}, 3),
        ([(ORIENTATION, SHORT, 1, 6)], {"start": 70}, 6),
        ([(0x0100, SHORT, 1, ORIENTATION)], {}, 1),
        ([(ORIENTATION, LONG, 1, 6)], {}, 1),
        ([(ORIENTATION, SHORT, 2, 6)], {}, 1),
        ([(ORIENTATION, SHORT, 1, 0)], {}, 1),
        ([(ORIENTATION, SHORT, 1, 9)], {}, 1),
        ([(ORIENTATION, SHORT, 1, 65535)], {}, 1),
        ([(ORIENTATION, SHORT, 1, 6)], {"magic": 43}, 1),
        ([(ORIENTATION, SHORT, 1, 6)], {"count": 65535}, 6),
        ([(ORIENTATION, SHORT, 1, 6)], {"count": 0}, 1),
        ([], {}, 1),
    ],
)
def test_the_orientation_is_that_of_the_first_directory(entries, options, expected, order):
    content = tiff(*entries, order=order, **options)
    assert int(exif.orientation(tf.constant(content))) == expected
    thumbnail = tiff((ORIENTATION, SHORT, 1, 8), order=order)[8:]
    assert int(exif.orientation(tf.constant(content + bytes(4) + thumbnail))) == expected


def test_broken_exif_is_ignored(decode):
    plain, random = tiff((ORIENTATION, SHORT, 1, 6), order=">"), np.random.default_rng(0)
    broken = [plain[:length] for length in range(len(plain) - 3)]
    broken += [
        plain[:4] + struct.pack(">I", start) + plain[8:] for start in (0, 7, 2**31, 2**32 - 1)
    ]
    broken += [random.bytes(length) for length in (1, 20, 300)]
    broken += [b"MM\0*" + random.bytes(length) for length in (4, 20, 300)]
    for content in broken:
        assert int(exif.orientation(tf.constant(content))) == 1, content
        file = with_segments(segment(0xE1, b"Exif\0\0" + content))
        assert decode(file).shape == (5, 9, 3)
    for length in (0, 1, 2, 7):  # no length at all, or one that is too short
        file = with_segments(b"\xff\xe1" + struct.pack(">H", length) + EXIF_6)
        jpeg_exif(tf.constant(file))


def test_a_chunk_of_a_png_is_found_before_the_pixels():
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "IDAT tRNS eXIf")
    plain = tf.constant(encode((5, 9), "PNG", pnginfo=text))
    assert png_chunk(plain, b"tRNS").numpy() == b""
    assert png_chunk(plain, b"eXIf").numpy() == b""
    marked = tf.constant(photo((5, 9), 6, kind="PNG", pnginfo=text))
    assert int(exif.orientation(png_chunk(marked, b"eXIf"))) == 6
    for cut in range(0, 60):
        png_chunk(tf.strings.substr(marked, 0, cut), b"eXIf")
