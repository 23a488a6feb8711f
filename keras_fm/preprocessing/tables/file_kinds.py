"""What a file is by its first bytes, where a table is expected. Without TensorFlow."""

import io
import zipfile

PARQUET = b"PAR1"
ZIP = b"PK\x03\x04"

_AS_FRAME = "pass a data frame: pandas.{}"
# By the bytes that a file begins with: what it is, and what to do.
_SIGNATURES = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _AS_FRAME.format("read_hdf(...)")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook",
     "save it as CSV, or " + _AS_FRAME.format("read_excel(...)")),
    (b"ARROW1", "an Arrow file", _AS_FRAME.format("read_feather(...)")),
    (b"ORC", "an ORC file", _AS_FRAME.format("read_orc(...)")),
    (b"SQLite format 3\0", "an SQLite database", _AS_FRAME.format("read_sql(...)")),
    (b"\x93NUMPY", "a NumPy array", "pass (inputs, targets), or a data frame of named columns"),
    (b"\x80\x04", "a pickle", _AS_FRAME.format("read_pickle(...)")),
    (b"\x80\x05", "a pickle", _AS_FRAME.format("read_pickle(...)")),
    (b"(\xb5/\xfd", "compressed by Zstandard", "decompress it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"Rar!", "a RAR archive", "unpack it"),
    (b"%PDF", "a PDF", "save its table as CSV"),
    (b"\x89PNG", "a PNG image", "name a file of rows"),
    (b"\xff\xd8\xff", "a JPEG image", "name a file of rows"),
    (b"GIF8", "a GIF image", "name a file of rows"),
)  # fmt: skip
_BYTE_ORDER_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_WEB_PAGES = (b"<!doctype html", b"<html")


def describe_foreign(raw: bytes, path: str) -> str:
    """Say what a file is and what to do, or return "" where it may be a table of text.

    Args:
        raw: The bytes of the file.
        path: For the advice.
    """
    for signature, kind, advice in _SIGNATURES:
        if raw.startswith(signature):
            return f"is {kind}: {advice}"
    if raw.startswith(ZIP):
        return _describe_archive(raw)
    if raw[:100].lstrip().lower().startswith(_WEB_PAGES):
        return "is a web page (HTML): download the file itself"
    encoding = _wide_encoding(raw)
    if encoding:
        return f"is {encoding.upper()}: {encoding_advice(path, encoding)}"
    if b"\0" in raw:
        return "is a binary file: name a CSV file"
    return ""


def encoding_advice(path: str, encoding: str) -> str:
    """Say what to do with a file of another encoding than UTF-8."""
    return (
        f"save it as UTF-8, or pass a data frame: pandas.read_csv({path!r}, encoding={encoding!r})"
    )


def _wide_encoding(raw: bytes) -> str:
    """Return UTF-16 or UTF-32 by the byte order mark, or by the zeros of ASCII text; else ""."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            return encoding
    sample = raw[:1000]
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros, letters = sample[start::2], sample[1 - start :: 2]
        if len(zeros) > 1 and zeros.count(0) > 0.9 * len(zeros) and not letters.count(0):
            return encoding
    return ""


def _describe_archive(raw: bytes) -> str:
    """Say what a zip archive is that is no single compressed file, or return ""."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except zipfile.BadZipFile:
        return "is a damaged zip archive: download or pack it again"
    if "[Content_Types].xml" in names or "content.xml" in names:
        advice = "save it as CSV, or pass a data frame: pandas.read_excel(...)"
        return f"is a workbook of Excel or LibreOffice: {advice}"
    if "config.json" in names and "metadata.json" in names:
        return "is a Keras model: name a file of rows"
    if names and all(name.endswith(".npy") for name in names):
        return "is an archive of NumPy arrays: pass (inputs, targets), or a data frame"
    return "" if len(names) == 1 else f"is a zip archive of {len(names)} files: unpack it"
