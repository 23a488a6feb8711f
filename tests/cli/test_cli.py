import json
import os
import re
import subprocess
import sys

import helpers
import pytest

from keras_fm import cli, registry

COMMANDS = [
    "list",
    "info",
    "predict",
    "train",
    "fine-tune",
    "tune",
    "evaluate",
    "verify",
    "explain",
    "export",
    "serve-check",
    "demo",
    "runs",
    "tensorboard",
]
SMALL = ["--data", "sample", "--set", "validation_examples=56", "--set", "epochs=1"]


@pytest.fixture
def image_file(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(helpers.encode(helpers.image(40, 50)))
    return str(path)


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def error_of(capsys, *arguments):
    """Return the one line on stderr of a command that exits with 2."""
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert err.startswith("keras-fm: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_examples(command, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    assert f"\nexamples:\n  keras-fm {command}" in capsys.readouterr().out


def test_the_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    shown = capsys.readouterr().out
    assert caught.value.code == 0
    assert [
        name for name in COMMANDS if not re.search(rf"^    {name}\b", shown, re.MULTILINE)
    ] == []


def test_list_shows_a_row_for_each_model(capsys):
    code, out, _ = run(capsys, "list")
    names = [line.split()[0] for line in out.splitlines()]
    assert code == 0
    assert names == ["model", *registry.list_models()]


def test_list_filters_models(capsys, tiny_net):
    helpers.write_record(tiny_net)
    _, out, _ = run(capsys, "list", "tiny*", "--pretrained", "--task", "image-classification")
    header, row = out.splitlines()
    assert header.split() == ["model", "task", "data", "parameters", "on", "the", "test", "split"]
    assert row.split() == [
        "tiny_net",
        "image-classification",
        "cifar10",
        "100",
        "accuracy",
        "10.00%",
    ]
    code, out, err = run(capsys, "list", "tiny_nat*")
    assert (code, out) == (1, "")
    assert "no model matches 'tiny_nat*'. Did you mean 'tiny_net'?" in err


def test_list_as_json(capsys, tiny_net):
    helpers.write_record(tiny_net)
    code, out, _ = run(capsys, "list", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert (code, [*rows]) == (0, registry.list_models())
    assert rows["tiny_net"] == {
        "name": "tiny_net",
        "task": "image-classification",
        "dataset": "cifar10",
        "pretrained": True,
        "num_parameters": 100,
        "metrics": registry.info("tiny_net").weights_of().metrics,
    }
    assert (rows["cifar_cnn_basic"]["pretrained"], rows["cifar_cnn_basic"]["metrics"]) in (
        (True, registry.info("cifar_cnn_basic").weights_of().metrics),
        (False, {}),
    )
    code, out, err = run(capsys, "list", "resnet*", "--json")
    assert (code, json.loads(out)) == (1, [])
    assert err.startswith("keras-fm: no model matches 'resnet*'. ")


def test_info_shows_the_entry(capsys, tiny_net):
    helpers.write_record(tiny_net)
    code, out, _ = run(capsys, "info", "tiny_net.first")
    assert code == 0
    for text in ("tiny_net: A tiny network", "input image", "airplane", "accuracy 10.00%"):
        assert text in out
    _, out, _ = run(capsys, "info", "tiny_net", "--json")
    assert json.loads(out)["weights"]["first"]["num_parameters"] == 100


def test_predict_shows_labels(capsys, small_run, image_file):
    code, out, _ = run(capsys, "predict", small_run.path, image_file, image_file, "--top", "2")
    assert code == 0
    first, second = out.splitlines()
    assert first == second
    assert first.startswith(f"{image_file}: ")
    assert first.count("%") == 2


def test_predict_reads_files_of_texts(capsys, tmp_path):
    (tmp_path / "one.txt").write_text("a wonderful film, I loved it")
    rows = "id,title,review\n1,x,a wonderful film\n2,y,a terrible waste of time\n"
    (tmp_path / "reviews.csv").write_text(rows)
    (tmp_path / "only.csv").write_text(
        rows.replace(",title", "").replace(",x", "").replace(",y", "")
    )
    assert run(capsys, "predict", "lstm", tmp_path / "one.txt")[1].startswith(
        f"{tmp_path}/one.txt: positive"
    )
    for arguments in (["reviews.csv", "--text", "review"], ["only.csv"]):
        code, out, _ = run(capsys, "predict", "lstm", tmp_path / arguments[0], *arguments[1:])
        first, second = out.splitlines()
        assert code == 0
        assert "positive" in first.split(",")[0]
        assert second.split(": ", 1)[1].startswith("negative")
    for command in ("predict", "explain"):
        err = error_of(capsys, command, "lstm", tmp_path / "reviews.csv")
        assert "say which one holds the texts" in err


@pytest.mark.parametrize("top", [0, -1])
def test_predict_shows_a_label_at_least(top, capsys, small_run, image_file):
    err = error_of(capsys, "predict", small_run.path, image_file, "--top", top)
    assert err == f"keras-fm: --top is a whole number from 1; received {top}\n"


def test_predict_prints_json(capsys, small_run, image_file):
    _, out, _ = run(capsys, "predict", small_run.path, image_file, "--json")
    (prediction,) = json.loads(out)
    assert prediction["input"] == image_file
    assert prediction["label"] in prediction["probabilities"]


def test_train_writes_a_run(capsys, tmp_path):
    path = tmp_path / "run"
    code, out, _ = run(capsys, "train", "cifar_cnn_basic", *SMALL, "--run-dir", path, "--seed", 3)
    assert code == 0
    assert (path / "result.json").is_file()
    assert "seed 3" in out
    assert f"tensorboard --logdir {path}/logs" in out
    assert f"keras-fm evaluate {path}" in out


def test_evaluate_shows_metrics(capsys, small_run):
    code, out, _ = run(
        capsys, "evaluate", small_run.path, "--split", "sample", "--slice-by", "label"
    )
    assert code == 0
    table, slices, note = out.strip().split("\n\n")
    shown = dict(line.rsplit("  ", 1) for line in table.splitlines() if "bundled" not in line)
    shown = {name.strip(): float(value) for name, value in shown.items()}
    assert shown["num_examples"] == 256
    assert {"accuracy", "accuracy_tta", "cross_entropy"} <= set(shown)
    header, *rows = slices.splitlines()
    assert header.split() == ["label", "recall", "interval", "examples"]
    assert [row.split()[-2:] for row in rows if row.startswith("ship")] == [["25", "*"]]
    assert "fewer than 30 examples (*)" in note


def test_evaluate_as_json(capsys, small_run):
    _, out, _ = run(
        capsys, "evaluate", small_run.path, "--split", "sample", "--slice-by", "label", "--json"
    )
    metrics = json.loads(out)
    assert metrics["num_examples"] == 256
    assert {"accuracy", "cross_entropy", "data"} <= set(metrics)
    assert set(metrics["slices"]["label"]) == set(registry.info("cifar_cnn_basic").labels)


def test_export_writes_a_version(capsys, small_run, tmp_path):
    code, out, _ = run(
        capsys, "export", small_run.path, tmp_path / "export", "--version", 5, "--no-warmup"
    )
    assert code == 0
    assert out.splitlines()[0] == str(tmp_path / "export" / "5")
    assert (tmp_path / "export" / "5" / "saved_model.pb").is_file()


def test_the_exit_code_of_verify_tells_drift(capsys, tiny_net, no_tfds):
    helpers.write_weights(tiny_net)
    code, out, _ = run(capsys, "verify", "tiny_net")
    assert (code, out.count("DRIFT")) == (0, 0)
    entry = tiny_net / "entry.toml"
    entry.write_text(entry.read_text().replace("\nflops = ", "\nflops = 1"))
    registry.clear_cache()
    code, out, _ = run(capsys, "verify", "tiny_net")
    assert (code, out.count("DRIFT")) == (1, 1)
    code, out, _ = run(capsys, "verify", "tiny_net", "--json")
    (report,) = json.loads(out)
    assert (code, report["name"], report["passed"]) == (1, "tiny_net", False)
    assert [check["name"] for check in report["checks"] if not check["passed"]] == ["FLOPs"]
    assert set(report["checks"][0]) == {"name", "claimed", "measured", "passed"}


def test_fine_tune_writes_a_run(capsys, small_run, tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for seed in range(5):
            file = tmp_path / "photos" / label / f"{seed}.png"
            file.write_bytes(helpers.encode(helpers.image(20, 30, seed)))
    (tmp_path / "photos" / "cat" / "cut.png").write_bytes(b"cut")
    path = tmp_path / "run"
    code, out, err = run(
        capsys, "fine-tune", small_run.path, tmp_path / "photos", "--strategy", "head",
        "--set", "epochs=1", "--run-dir", path,
    )  # fmt: skip
    assert code == 0
    for part in ("fine-tuned (head)", "2 classes: cat 5, dog 5", "majority-class baseline",
                 f"tensorboard --logdir {path}", f"keras-fm verify {path}"):  # fmt: skip
        assert part in out, part
    warnings = [line for line in err.splitlines() if line.startswith("keras-fm: ")]
    assert len(warnings) == 2, "a file that is no image, and copies with another label"
    assert "1 of 11 images can't be read and is left out: " in warnings[0]
    code, out, _ = run(capsys, "verify", path)
    assert (code, out.count("DRIFT")) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        (["info", "cifar_cnn_basik"], "'cifar_cnn_basik'. Did you mean 'cifar_cnn_basic'"),
        (["info", "cifar_cnn_basic.best"], "'best'"),
        (["list", "--task", "image"], "'image'"),
        (["predict", "cifar_cnn_basik", "a.png"], "'cifar_cnn_basik'"),
        (["train", "cifar_cnn_basik"], "'cifar_cnn_basik'"),
        (["train", "cifar_cnn_basic", "--set", "epoch=2"], "'epoch'. Did you mean 'epochs'"),
        (["train", "cifar_cnn_basic", "--set", "epochs=two"], "received 'two'"),
        (["train", "cifar_cnn_basic", "--set", "epochs=1.5"], "received 1.5"),
        (["train", "cifar_cnn_basic", "--set", "epochs"], "received 'epochs'"),
        (["train", "cifar_cnn_basic", "--data", "simple"], "no data set 'simple'"),
        (["train", "cifar_cnn_basic", *SMALL, "--seed", "-1"], "received -1"),
        (["train", "cifar_cnn_basic", "--resume"], "run_dir"),
        (["train", "cifar_cnn_basic", "--resume", "--run-dir", "gone"], "gone is no run directory"),
        (["fine-tune", "cifar_cnn_basik", "photos"], "'cifar_cnn_basik'"),
        (["fine-tune", "cifar_cnn_basic", "photos"], "no data set 'photos'"),
        (["fine-tune", "cifar_cnn_basic", "my/photos"], "there is no folder my/photos"),
        (["fine-tune", "cifar_cnn_basic", "x", "--strategy", "heads"], "'heads'"),
        (["fine-tune", "lstm", "reviews.csv", "--text", "body"], "there is no file reviews.csv"),
        (["evaluate", "gone"], "'gone'"),
        (["verify", "cifar_cnn_basic.best"], "'best'"),
        (["export", "gone", "exports"], "'gone'"),
    ],
)
def test_invalid_input_is_one_line_and_writes_nothing(
    capsys, tmp_path, monkeypatch, arguments, received
):
    monkeypatch.chdir(tmp_path)
    assert received in error_of(capsys, *arguments)
    assert not any(tmp_path.iterdir())


def test_invalid_files_are_one_line(capsys, small_run, image_file, tmp_path):
    text = tmp_path / "text.png"
    text.write_text("no image")
    assert "text.png is not an image" in error_of(
        capsys, "predict", small_run.path, image_file, text
    )
    assert "there is no file " in error_of(capsys, "predict", small_run.path, tmp_path / "gone.png")
    (tmp_path / "empty").mkdir()
    assert "holds no image" in error_of(capsys, "predict", small_run.path, tmp_path / "empty")


def test_invalid_options_of_a_run_are_one_line(capsys, small_run, tmp_path):
    assert "'lable'" in error_of(capsys, "evaluate", small_run.path, "--slice-by", "lable")
    export = ["export", small_run.path, tmp_path / "export", "--version"]
    assert "received 0" in error_of(capsys, *export, 0)
    (tmp_path / "export" / "1").mkdir(parents=True)
    assert "1 exists" in error_of(capsys, *export, 1)


def test_an_existing_run_directory_is_one_line(capsys, small_run):
    content = helpers.snapshot(small_run.path)
    err = error_of(capsys, "train", "cifar_cnn_basic", *SMALL, "--run-dir", small_run.path)
    assert f"{small_run.path} exists" in err
    assert helpers.snapshot(small_run.path) == content


@pytest.mark.parametrize("command", ["train", "export"])
def test_a_path_below_a_file_is_one_line(capsys, small_run, image_file, command):
    arguments = {
        "train": ["cifar_cnn_basic", *SMALL, "--run-dir", f"{image_file}/run"],
        "export": [small_run.path, f"{image_file}/export"],
    }
    assert image_file in error_of(capsys, command, *arguments[command])


@pytest.mark.parametrize("arguments", [[], ["lst"], ["info"], ["train", "x", "--seed", "y"]])
def test_a_wrong_command_line_exits_with_2_too(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: keras-fm" in capsys.readouterr().err


def test_ctrl_c_exits_with_130(capsys, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt("stopped; resume with: ...")

    monkeypatch.setattr(registry, "list_models", stop)
    code, _, err = run(capsys, "list")
    assert (code, err) == (130, "\nkeras-fm: stopped; resume with: ...\n")


def test_a_closed_pipe_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-m", "keras_fm", "list"],
        stdout=writing, stderr=subprocess.PIPE, cwd=helpers.ROOT, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (process.returncode, process.stderr) == (0, b"")


def test_predict_writes_a_file(capsys, small_run, image_file, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(helpers.encode(helpers.image(40, 50)))
    out = tmp_path / "out.csv"
    code, shown, _ = run(capsys, "predict", small_run.path, tmp_path / "photos", image_file,
                         "--out", out)  # fmt: skip
    assert (code, shown) == (0, f"{out}\n")
    header, *lines = out.read_text().splitlines()
    assert header.startswith("file,label,probability,probability_airplane,")
    assert [line.partition(",")[0] for line in lines] == [f"{tmp_path}/photos/a.png", image_file]
    err = error_of(capsys, "predict", small_run.path, image_file, "--out", out)
    assert err == f"keras-fm: {out} exists; name another file, or delete it\n"


def test_predict_writes_the_column_that_id_names(capsys, tmp_path):
    rows = "carat,clarity,color,cut,depth,table,x,y,z,id\n" + "0.2,IF,E,Ideal,61,55,4,4,2,007\n" * 3
    (tmp_path / "rows.csv").write_text(rows)
    run(capsys, "predict", "linear_regression", tmp_path / "rows.csv", "--id", "id",
        "--out", tmp_path / "out.jsonl")  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [{*line} for line in lines] == [{"id", "prediction"}] * 3
    assert {line["id"] for line in lines} == {"007"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "out.xlsx"], "ends in .csv, .jsonl, .ndjson, .json or .parquet"),
        (["--out", "folder"], "ends in .csv"),
        (["--out", "out.csv", "--json"], "leave out one"),
        (["--id", "file"], "--id is a column that --out FILE writes"),
        (["--out", "out.csv", "--id", "file"], "id names a column of a table"),
    ],
)
def test_predict_checks_the_output(options, message, capsys, small_run, image_file, tmp_path,
                                   monkeypatch):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert message in error_of(capsys, "predict", small_run.path, image_file, *options)
    assert {path.name for path in tmp_path.iterdir()} == {"image.png"}
