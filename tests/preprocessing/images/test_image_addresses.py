"""Images and tables by their address, and images by their folder."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import helpers
import numpy as np
import pytest

from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing.images.inputs import read_images, to_image_files
from keras_fm.preprocessing.images.loading import load_images
from keras_fm.preprocessing.tables.inputs import to_columns
from keras_fm.store import urls

PHOTO = helpers.encode(helpers.image(9, 7))
PAGES = {
    "/photo.png": (200, {}, PHOTO),
    "/page": (200, {}, b"<html>no image</html>"),
    "/large": (200, {"Content-Length": "99999999999"}, b""),
    "/moved": (302, {"Location": "/photo.png"}, b""),
    "/circle": (302, {"Location": "/circle"}, b""),
    "/to-file": (302, {"Location": "file:///etc/hostname"}, b""),
    "/rows.csv": (200, {}, b"size,kind\n01,a\n2,b\n"),
}


@pytest.fixture(scope="module")
def site():
    """The address of a server of `PAGES`, with a password in it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            nothing = (404, {}, b"")
            status, headers, body = PAGES.get(self.path.partition("?")[0], nothing)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://user:secret@127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("address", ["/photo.png", "/photo.png?token=secret", "/moved"])
def test_an_address_stands_for_its_image(site, address):
    expected = load_images(PHOTO, 8, 8, 3)
    np.testing.assert_array_equal(load_images(site + address, 8, 8, 3), expected)
    np.testing.assert_array_equal(load_images([site + address], 8, 8, 3), expected)
    assert to_image_files(site.replace("http", "HTTP", 1) + address) == [PHOTO]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("/nothing?token=secret", "/nothing can't be read: the server returns 404"),
        ("/page", "/page is not an image that can be read: .* in no format that Pillow knows"),
        ("/large", "/large can't be read: the server sends 99,999,999,999 bytes, expected"),
        ("/circle", "/circle can't be read: the server redirects more than 10 times"),
        ("/to-file", "/to-file can't be read: the server "),
    ],
)
def test_an_address_without_an_image_is_an_error_without_secrets(site, address, message):
    with pytest.raises(InvalidInputError, match=message) as caught:
        read_images([PHOTO, site + address])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a", "http://[", "https://user:secret@"])
def test_what_is_no_server_is_an_error(address):
    with pytest.raises(InvalidInputError, match="can't be read: the server ") as caught:
        read_images(address)
    assert "secret" not in str(caught.value)


def test_a_server_that_sends_more_than_it_says_is_left(site, monkeypatch):
    monkeypatch.setattr(urls, "MAX_BYTES", 10)
    with pytest.raises(InvalidInputError, match=f"sends {len(PHOTO)} bytes, expected 10"):
        read_images(f"{site}/photo.png")


def test_offline_opens_no_socket(site, monkeypatch):
    monkeypatch.setenv("KERAS_FM_OFFLINE", "1")
    for read in (read_images, to_columns):
        with pytest.raises(InvalidInputError, match="KERAS_FM_OFFLINE forbids to download it"):
            read(f"{site}/photo.png")


def test_an_address_stands_for_its_table(site):
    columns = to_columns(f"{site}/rows.csv?token=1")
    assert {name: list(cells) for name, cells in columns.items()} == {
        "size": ["01", "2"], "kind": ["a", "b"],
    }  # fmt: skip


@pytest.mark.parametrize("wrap", [str, lambda folder: folder, lambda folder: [folder]])
def test_a_folder_stands_for_its_images_in_sorted_order(wrap, tmp_path):
    for number, name in enumerate(("b.png", "a.JPG", "cat/c.webp", ".hidden.png", "notes.txt")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(helpers.encode(np.full((2, 2, 3), number, "uint8")))
    images = load_images(wrap(tmp_path), 2, 2, 3)
    assert images[:, 0, 0, 0].tolist() == [1, 0, 2]
    assert len(to_image_files(wrap(tmp_path))) == 3


def test_a_folder_without_images_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(InvalidInputError, match=r"holds no image \(\.avif, "):
        read_images(tmp_path)
