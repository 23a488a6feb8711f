"""The directory that a training leaves behind."""

from keras_fm.models import run_files
from keras_fm.training import runs


def test_the_minutes_are_of_all_epochs_and_stages(tmp_path):
    (tmp_path / "head").mkdir()
    seconds = {"history.csv": [30.0, 60.0], "head/history.csv": [90.0]}
    for file, values in seconds.items():
        rows = [{"epoch": epoch, "seconds": value} for epoch, value in enumerate(values)]
        runs.write_history(tmp_path / file, rows)
    run = runs.write_result(tmp_path, None, metrics={}, baseline={}, comparisons={})
    assert run.minutes == 3.0
    assert run_files.read_result(tmp_path)["minutes"] == 3.0
