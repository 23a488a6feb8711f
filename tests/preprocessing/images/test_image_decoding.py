"""Files of a request in the graph of an export: what is decoded, and what is refused."""

import bad_files
import helpers
import numpy as np
import pytest
import tensorflow as tf

from keras_fm.preprocessing.images import decoding
from keras_fm.preprocessing.images.decoding import decode_files
from keras_fm.preprocessing.images.loading import load_images


def new_decode():
    """Return a function that decodes files as an export does, with the limits of now."""

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def decode_in_graph(files):
        return decode_files(files, 24, 32, 3)

    return lambda *files: decode_in_graph(tf.constant(files, tf.string)).numpy()


@pytest.fixture(scope="module")
def decode():
    """Decodes files as an export does."""
    return new_decode()


def test_an_export_reads_files_as_the_pipeline_does(decode):
    files = [make(np.random.default_rng(0)) for make in bad_files.ODD.values()]
    np.testing.assert_array_equal(decode(*files), load_images(files, 24, 32, 3))
    assert decode().shape == (0, 24, 32, 3)


def test_the_first_broken_file_is_named(decode):
    file, rng = helpers.encode(helpers.gradient()), np.random.default_rng(0)
    for make in bad_files.BROKEN.values():
        broken = make(rng)
        message = (
            "image_bytes, row 1: expected a whole JPEG or PNG file of at most 33,554,432 pixels; "
            f"received {len(broken)} bytes"
        )
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            decode(file, broken, file, broken)


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True})]
)
def test_every_truncated_file_is_refused(kind, options, decode):
    file = bad_files.file(np.random.default_rng(3), kind, **options)
    decode(file)
    for length in range(0, len(file), 7):
        with pytest.raises(tf.errors.InvalidArgumentError, match="row 0"):
            decode(file[:length])


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_file_of_too_many_pixels_is_refused_before_it_is_decoded(kind, monkeypatch):
    monkeypatch.setattr(decoding, "MAX_PIXELS", 600)
    decode = new_decode()
    decode(helpers.encode(helpers.image(20, 30), kind))
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 600 pixels"):
        decode(helpers.encode(helpers.image(20, 31), kind))


def test_a_file_of_too_many_scans_is_refused(monkeypatch):
    file = bad_files.scans(np.random.default_rng(0), 5)
    monkeypatch.setattr(decoding, "MAX_SCANS", file.count(b"\xff\xda"))
    decode = new_decode()
    decode(file)
    with pytest.raises(tf.errors.InvalidArgumentError, match="row 0"):
        decode(bad_files.scans(np.random.default_rng(0), 6))
