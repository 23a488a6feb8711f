"""What a training that was killed resumes from: the last complete epoch, whatever happens."""

import textwrap

import helpers
import keras
import numpy as np
import pytest

from keras_fm import files
from keras_fm.errors import RunError
from keras_fm.training import curves, fit, training
from keras_fm.training.checkpoints import EpochCheckpoint
from keras_fm.training.early_stopping import EarlyStopping

pytestmark = pytest.mark.usefixtures("tiny_net")


def train(path, **options):
    return training.train("tiny_net", data="sample", run_dir=path, **options)


def checkpoints(run):
    return sorted(path.name for path in (run / "checkpoints").iterdir())


@pytest.fixture
def on_write(monkeypatch):
    """`on_write(before=..., after=...)`: what else happens when a checkpoint is written."""
    write = EpochCheckpoint._write

    def change(before=lambda path: None, after=lambda path: None):
        def changed(self, path):
            before(path)
            write(self, path)
            after(path)

        monkeypatch.setattr(EpochCheckpoint, "_write", changed)

    return change


def at_epoch(number, error):
    def act(path):
        if path.name == f"epoch-{number}.weights.h5":
            raise error

    return act


@pytest.mark.thorough
def test_a_training_stopped_around_a_checkpoint_ends_as_an_uninterrupted_one(tmp_path, on_write):
    uninterrupted = train(tmp_path / "uninterrupted", epochs=3)
    for moment in ("before", "after"):
        path = tmp_path / moment
        on_write(**{moment: at_epoch(2, KeyboardInterrupt())})
        with pytest.raises(KeyboardInterrupt):
            train(path, epochs=3)
        if moment == "before":
            assert checkpoints(path) == ["epoch-1.weights.h5"]
        else:  # the one before is deleted after the new one is written
            assert checkpoints(path) == ["epoch-1.weights.h5", "epoch-2.weights.h5"]
        on_write()
        resumed = train(path, resume=True)
        assert helpers.same_weights(uninterrupted.model, resumed.model)
        assert resumed.history["loss"] == uninterrupted.history["loss"]
        assert not (path / "checkpoints").exists()


@pytest.mark.thorough
def test_a_training_stopped_during_its_evaluation_is_not_trained_again(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(fit, "_evaluate_and_log", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(tmp_path / "run", epochs=2)
    assert checkpoints(tmp_path / "run") == ["epoch-2.weights.h5"]
    assert (tmp_path / "run" / "model.weights.h5").is_file()
    history = (tmp_path / "run" / "history.csv").read_bytes()
    resumed = train(tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "history.csv").read_bytes() == history
    assert resumed.metrics


def test_one_checkpoint_is_kept_and_on_the_disk_before_the_old_one_is_deleted(
    tmp_path, monkeypatch
):
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    saver = EpochCheckpoint(tmp_path / "checkpoints")
    saver.set_model(model)
    saver.set_params({"epochs": 3})
    saver.on_train_begin()
    synced = []
    monkeypatch.setattr(files, "_fsync", lambda path: synced.append((path, checkpoints(tmp_path))))
    for epoch in range(2):
        saver.on_epoch_begin(epoch)
        saver.on_epoch_end(epoch)
    assert checkpoints(tmp_path) == ["epoch-2.weights.h5"]
    folder, others = synced[-1]
    assert folder == saver.folder
    assert others == ["epoch-1.weights.h5", "epoch-2.weights.h5"]


def test_early_stopping_counts_no_epoch_behind_the_checkpoint(tmp_path, on_write, monkeypatch):
    # The history of the second epoch is written before its checkpoint, which never is.
    on_write(before=at_epoch(2, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", epochs=3, patience=5)
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 3
    on_write()
    histories = []
    monkeypatch.setattr(
        EarlyStopping, "restore", lambda self, history: histories.append(history) or False
    )
    train(tmp_path / "run", resume=True)
    assert [[row["epoch"] for row in history] for history in histories] == [[0]]


def test_a_full_disk_stops_the_training_and_keeps_the_last_checkpoint(tmp_path, on_write):
    on_write(before=at_epoch(2, OSError(28, "No space left on device")))
    with pytest.raises(RunError, match=r"No space left.*after epoch 1 is kept in .*epoch-1\."):
        train(tmp_path / "run", epochs=3)
    assert checkpoints(tmp_path / "run") == ["epoch-1.weights.h5"]
    on_write()
    assert len(train(tmp_path / "run", resume=True).history["loss"]) == 3


@pytest.mark.thorough
def test_a_file_that_may_not_grow_leaves_no_partial_checkpoint(tmp_path):
    # In a process of its own: where a write fails, HDF5 may end the process as it closes the file.
    code = """
        import resource, signal, sys

        from keras_fm.errors import RunError
        from keras_fm.training import training
        from keras_fm.training.checkpoints import EpochCheckpoint

        write = EpochCheckpoint._write

        def limited(self, path):
            if path.name.startswith("epoch-2"):
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # EFBIG, as a full disk says ENOSPC
                resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
            try:
                write(self, path)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

        EpochCheckpoint._write = limited
        try:
            options = {"validation_examples": 0, "epochs": 2, "batch_size": 128}
            training.train("cifar_cnn_basic", data="sample", run_dir=sys.argv[1], **options)
        except RunError as error:
            print(error)
    """
    done = helpers.python(textwrap.dedent(code), tmp_path / "run")
    assert "the state after epoch 2 can't be written" in done.stdout, done.stderr[-2000:]
    assert checkpoints(tmp_path / "run") == ["epoch-1.weights.h5"]


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path):
    with pytest.raises(RunError, match=r"loss became (nan|inf) at step \d+ of epoch 1: a lower"):
        train(tmp_path / "run", optimizer="sgd", learning_rate=1e6, schedule="constant")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_weight_that_is_not_finite_is_never_saved(tmp_path, monkeypatch):
    end = curves.Curves.on_epoch_end

    def spoil(self, epoch, logs=None):
        end(self, epoch, logs)
        if epoch == 1:
            self.model.get_layer("logits").bias.assign(np.full(10, np.nan))

    monkeypatch.setattr(curves.Curves, "on_epoch_end", spoil)
    with pytest.raises(RunError, match="logits/bias is not finite at the end of epoch 2"):
        train(tmp_path / "run", epochs=3)
    assert checkpoints(tmp_path / "run") == ["epoch-1.weights.h5"]
