"""What a training shows and writes down as it goes."""

from types import SimpleNamespace

import helpers
import numpy as np
import tensorflow as tf

from keras_fm.tasks.base import ProjectorPoints
from keras_fm.training import monitoring, runs


def test_an_epoch_that_is_trained_again_has_one_row(tmp_path):
    """Such as one that was logged, but not yet in a checkpoint, when the training was killed."""
    history = monitoring.CSVHistory(tmp_path / "history.csv")
    for epoch, loss in [(0, 3.0), (1, 2.0), (1, 1.5), (2, 1.0)]:
        history.on_epoch_begin(epoch)
        history.on_epoch_end(epoch, {"loss": loss})
    rows = runs.read_history(tmp_path / "history.csv")
    assert [(row["epoch"], row["loss"]) for row in rows] == [(0, 3.0), (1, 1.5), (2, 1.0)]


def test_the_throughput_is_of_examples_without_the_validation(tmp_path, monkeypatch):
    (tmp_path / "recipe.toml").touch()
    nothing = lambda *_: {}  # noqa: E731
    summaries = SimpleNamespace(input_images=nothing, epoch_images=nothing, epoch_texts=nothing)
    batches = SimpleNamespace(examples_per_epoch=24)
    callback = monitoring.TensorBoardSummaries(
        tmp_path, batches, SimpleNamespace(unit="images", summaries=summaries), None
    )
    callback.on_train_begin()
    now = iter([10.0, 11.0, 12.0, 14.0, 100.0])
    monkeypatch.setattr(monitoring.time, "perf_counter", lambda: next(now))
    callback.on_epoch_begin(0)
    for batch in range(3):
        callback.on_train_batch_end(batch)
    callback.on_epoch_end(0)
    callback.on_train_end()
    events = helpers.read_events(tmp_path / "logs" / "train").Tensors("images_per_second")
    assert [tf.make_ndarray(event.tensor_proto) for event in events] == [24 / 4]


def test_a_result_is_shown_with_its_method(tmp_path):
    job = SimpleNamespace(spec=SimpleNamespace(name="mine"), seed=3, recipe=helpers.recipe())
    monitoring.write_hparams(tmp_path, job, {"accuracy": 0.25, "auc": 0.5}, "a method")
    events = helpers.read_events(tmp_path / "logs")
    for name, value in {"accuracy": 0.25, "auc": 0.5}.items():
        [event] = events.Tensors(f"result/{name}")
        assert tf.make_ndarray(event.tensor_proto) == value
    assert events.PluginTagToContent("hparams")


def test_a_tab_in_a_text_is_no_column_of_the_projector(tmp_path):
    (tmp_path / "logs" / "train").mkdir(parents=True)
    metadata = {"label": ["good", "bad"], "text": ["a\tfilm", "a film"]}
    monitoring.write_projector(tmp_path, ProjectorPoints(np.eye(2), metadata))
    lines = (tmp_path / "logs" / "train" / "metadata.tsv").read_text("utf-8").splitlines()
    assert [line.split("\t") for line in lines] == [
        ["label", "text"], ["good", "a film"], ["bad", "a film"],
    ]  # fmt: skip
