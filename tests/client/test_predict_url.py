"""`keras-fm predict --url`."""

import io
import json

import helpers
from PIL import Image

from keras_fm import cli


def test_predict_asks_a_server(server, folder, tmp_path, capsys):
    photo = str(folder / "photo.jpg")
    shown = []
    for asked in ([], ["--url", server.rest], ["--url", server.grpc, "--timeout", "20"]):
        assert cli.main(["predict", "cifar_cnn_basic", photo, photo, *asked]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] == shown[2]
    assert cli.main(["predict", "linear_regression", str(folder / "rows.csv"), "--json",
                     "--url", server.rest]) == 0  # fmt: skip
    assert json.loads(capsys.readouterr().out)[3]["input"] == "row 4"
    out = str(tmp_path / "drawn")
    assert cli.main(["predict", "--url", server.rest, "gan", "Coat", "--out", out]) == 0
    assert capsys.readouterr().out == f"Coat: {out}/coat-0.png\n"
    assert Image.open(io.BytesIO((tmp_path / "drawn" / "coat-0.png").read_bytes())).mode == "L"


def test_predict_of_a_server_starts_fast(server, folder):
    code = (
        "import sys; from keras_fm import cli; code = cli.main(sys.argv[1:]);"
        "print('|', code, *sys.modules)"
    )
    for name, given in {"cifar_cnn_basic": "photo.jpg", "linear_regression": "rows.csv"}.items():
        done = helpers.python(code, "predict", "--url", server.rest, name, folder / given)
        assert done.returncode == 0, done.stderr
        code_of_it, *loaded = done.stdout.rpartition("|")[2].split()
        assert code_of_it == "0", done.stderr
        assert not {"keras", "tensorflow", "grpc"} & set(loaded)


def test_predict_says_what_the_server_said(server, nowhere, folder, capsys):
    photo = str(folder / "photo.jpg")
    for arguments, sentence in [
        (["--url", server.rest, "cifar", photo], "answered 404: Servable not found"),
        (["--url", f"http://{nowhere}", "cifar_cnn", photo], "can't be asked: Connection refused"),
        (["--url", "localhost", "cifar_cnn", photo], "url is http://HOST:8501"),
        (["--timeout", "3", "cifar_cnn", photo], "--timeout is for a server"),
    ]:
        assert cli.main(["predict", *arguments]) == 2
        shown = capsys.readouterr().err
        assert shown.startswith("keras-fm: ")
        assert shown.count("\n") == 1
        assert sentence in shown
