"""What a training writes down as it goes."""

from keras_fm.training import monitoring, runs


def test_an_epoch_that_is_trained_again_has_one_row(tmp_path):
    """Such as one that was logged, but not yet in a checkpoint, when the training was killed."""
    history = monitoring.CSVHistory(tmp_path / "history.csv")
    for epoch, loss in [(0, 3.0), (1, 2.0), (1, 1.5), (2, 1.0)]:
        history.on_epoch_begin(epoch)
        history.on_epoch_end(epoch, {"loss": loss})
    rows = runs.read_history(tmp_path / "history.csv")
    assert [(row["epoch"], row["loss"]) for row in rows] == [(0, 3.0), (1, 1.5), (2, 1.0)]
