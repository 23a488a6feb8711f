"""`keras-fm predict --url`."""

import io
import json

import helpers
import pandas as pd
import pytest
from PIL import Image

from keras_fm import cli


def test_predictions_of_a_server_are_printed(server, folder, tmp_path, capsys):
    photo = str(folder / "photo.jpg")
    outputs = []
    for options in ([], ["--url", server.rest], ["--url", server.grpc, "--timeout", "20"]):
        assert cli.main(["predict", "cifar_cnn_basic", photo, photo, *options]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] == outputs[2]
    assert cli.main(["predict", "linear_regression", str(folder / "rows.csv"), "--json",
                     "--url", server.rest]) == 0  # fmt: skip
    assert json.loads(capsys.readouterr().out)[3]["input"] == "row 4"
    out = str(tmp_path / "generated")
    assert cli.main(["predict", "--url", server.rest, "gan", "Coat", "--out", out]) == 0
    assert capsys.readouterr().out == f"Coat: {out}/coat-0.png\n"
    assert Image.open(io.BytesIO((tmp_path / "generated" / "coat-0.png").read_bytes())).mode == "L"


def test_predict_of_a_server_starts_fast(server, folder):
    code = (
        "import sys; from keras_fm import cli; code = cli.main(sys.argv[1:]);"
        "print('|', code, *sys.modules)"
    )
    for name, file in {"cifar_cnn_basic": "photo.jpg", "linear_regression": "rows.csv"}.items():
        process = helpers.python(code, "predict", "--url", server.rest, name, folder / file)
        assert process.returncode == 0, process.stderr
        exit_code, *modules = process.stdout.rpartition("|")[2].split()
        assert exit_code == "0", process.stderr
        assert not {"keras", "tensorflow", "grpc"} & set(modules)


def test_errors_of_a_server_are_printed_in_one_line(server, nowhere, folder, capsys):
    photo = str(folder / "photo.jpg")
    for arguments, sentence in [
        (["--url", server.rest, "cifar", photo], "returned 404: Servable not found"),
        (
            ["--url", f"http://{nowhere}", "cifar_cnn", photo],
            "can't be reached: Connection refused",
        ),
        (["--url", "localhost", "cifar_cnn", photo], "url is http://HOST:8501"),
        (["--timeout", "3", "cifar_cnn", photo], "--timeout and --header are for a server"),
        (["--header", "a: b", "cifar_cnn", photo], "--timeout and --header are for a server"),
        (
            ["--header", "secret", "--url", "http://x:1", "x", photo],
            "--header is NAME:VALUE; received",
        ),
    ]:
        assert cli.main(["predict", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("keras-fm: ")
        assert error.count("\n") == 1
        assert sentence in error


@pytest.mark.thorough
def test_predictions_of_a_server_are_written_to_a_file(server, folder, tmp_path, capsys):
    tables = []
    for number, options in enumerate([[], ["--url", server.rest]]):
        for name, file in {"cifar_cnn_basic": "photo.jpg", "linear_regression": "rows.csv"}.items():
            out = tmp_path / f"{name}{number}.csv"
            assert cli.main(["predict", name, str(folder / file), "--out", str(out), *options]) == 0
            tables.append(pd.read_csv(out))
    for local, served in zip(tables[:2], tables[2:], strict=True):
        pd.testing.assert_frame_equal(local, served, rtol=1e-4)
