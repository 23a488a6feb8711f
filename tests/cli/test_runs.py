import json
import os

import pytest

from keras_fm import cli


def write_run(path, *, started, metrics=None, epochs=2):
    """Write what a training leaves behind that `runs` reads; without metrics it did not end."""
    path.mkdir(parents=True)
    run_info = {"model": "lstm", "data": f"reviews of {path.name}", "init_from": "random"}
    (path / "run.json").write_text(json.dumps(run_info))
    os.utime(path / "run.json", (started, started))
    rows = [f"{epoch},{60 * epoch}" for epoch in range(1, epochs + 1)]
    (path / "history.csv").write_text("\n".join(["epoch,seconds", *rows]) + "\n")
    if metrics is not None:
        result = {"metrics": metrics, "baseline": {}, "minutes": 12.34}
        (path / "result.json").write_text(json.dumps(result))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs" / "old", started=1e9, metrics={"accuracy": 0.5, "loss": 1.0})
    write_run(tmp_path / "runs" / "old" / "head", started=2e9, metrics={"accuracy": 0.4})
    write_run(tmp_path / "runs" / "deep" / "new", started=1.5e9)
    (tmp_path / "runs" / "exports" / "1").mkdir(parents=True)
    return tmp_path / "runs"


def test_runs_lists_the_newest_first(runs, capsys):
    assert cli.main(["runs"]) == 0
    header, new, old = capsys.readouterr().out.splitlines()
    assert header.split() == ["run", "model", "data", "metrics", "minutes", "started"]
    assert new.split()[:5] == ["runs/deep/new", "lstm", "reviews", "of", "new"]
    assert new.endswith("not finished, 2 epochs")
    assert old.startswith("runs/old ")
    for text in ("lstm", "accuracy 50.00%", " 12.3 "):
        assert text in old


def test_runs_as_json(runs, capsys):
    assert cli.main(["runs", str(runs), "--json"]) == 0
    new, old = json.loads(capsys.readouterr().out)
    assert (new["finished"], new["epochs"], new["minutes"], new["metrics"]) == (False, 2, 3.0, {})
    assert old["path"] == str(runs / "old")
    assert old["metrics"] == {"accuracy": 0.5, "loss": 1.0}
    assert (old["finished"], old["minutes"]) == (True, 12.34)
    assert set(old) == {
        "path", "model", "data", "metrics", "minutes", "started", "finished", "epochs"
    }  # fmt: skip


def test_a_run_directory_is_listed_alone(runs, capsys):
    assert cli.main(["runs", "runs/old"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["run", "runs/old"]


def test_a_folder_without_runs_and_none(runs, capsys):
    assert cli.main(["runs", "runs/exports"]) == 0
    assert capsys.readouterr().out == "no run in runs/exports\n"
    for folder in ("gone", "runs/old/run.json"):
        assert cli.main(["runs", folder]) == 2
        assert "expected a folder of runs" in capsys.readouterr().err


def test_a_damaged_run_is_one_line(runs, capsys):
    (runs / "old" / "result.json").write_text("{")
    assert cli.main(["runs"]) == 2
    assert "runs/old can't be read as a run" in capsys.readouterr().err


def test_a_run_of_the_library_is_listed(small_run, capsys):
    assert cli.main(["runs", str(small_run.path.parent), "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert (run["model"], run["finished"], run["epochs"]) == ("cifar_cnn_basic", True, 1)
    assert run["metrics"] == small_run.metrics
