"""What a training that was killed goes on from: the last whole epoch, whatever happens."""

import subprocess
import sys
import textwrap

import helpers
import keras
import numpy as np
import pytest

from keras_fm.errors import RunError
from keras_fm.training import training
from keras_fm.training.checkpoints import EpochCheckpoint


def train(path, **options):
    return training.train("tiny_net", data="sample", run_dir=path, **options)


def kept(run):
    return sorted(path.name for path in (run / "checkpoints").iterdir())


@pytest.fixture
def save(monkeypatch):
    """`save(before=..., after=...)`: what else happens when a state is written."""
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


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_training_stopped_beside_a_write_ends_the_same(moment, tiny_net, tmp_path, save):
    whole = train(tmp_path / "whole", epochs=3)
    save(**{moment: at_epoch(2, KeyboardInterrupt())})
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", epochs=3)
    save()
    resumed = train(tmp_path / "stopped", resume=True)
    assert helpers.same_weights(whole.model, resumed.model)
    assert resumed.history["loss"] == whole.history["loss"]
    assert not (tmp_path / "stopped" / "checkpoints").exists()


def test_a_training_stopped_while_it_is_measured_is_not_trained_again(
    tiny_net, tmp_path, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr(training, "_close", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(tmp_path / "run", epochs=2)
    assert kept(tmp_path / "run") == ["epoch-2.weights.h5"]
    resumed = train(tmp_path / "run", resume=True)
    assert len(resumed.history["loss"]) == 2
    assert resumed.metrics


def test_a_full_disk_stops_it_and_keeps_the_last_state(tiny_net, tmp_path, save):
    save(before=at_epoch(2, OSError(28, "No space left on device")))
    with pytest.raises(RunError, match=r"No space left.*after epoch 1 is kept in .*epoch-1\."):
        train(tmp_path / "run", epochs=3)
    assert kept(tmp_path / "run") == ["epoch-1.weights.h5"]
    save()
    assert len(train(tmp_path / "run", resume=True).history["loss"]) == 3


def test_a_file_that_may_not_grow_leaves_no_half_state(tmp_path):
    run = str(tmp_path / "run")
    code = f"""
        import resource, signal

        from keras_fm import training
        from keras_fm.errors import RunError
        from keras_fm.training.checkpoints import EpochCheckpoint as Checkpoints

        write = Checkpoints._write

        def limited(self, path):
            if path.name.startswith("epoch-2"):
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # EFBIG, as a full disk says ENOSPC
                resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
            try:
                write(self, path)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

        Checkpoints._write = limited
        try:
            training.train("cifar_cnn_basic", data="sample", run_dir={run!r}, epochs=3)
        except RunError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300
    )
    assert "the state after epoch 2 can't be written" in done.stdout, done.stderr[-2000:]
    assert kept(tmp_path / "run") == ["epoch-1.weights.h5"]


def test_a_loss_that_is_no_number_stops_it(tiny_net, tmp_path):
    with pytest.raises(RunError, match=r"loss became (nan|inf) at step \d+ of epoch 1: a lower"):
        train(tmp_path / "run", optimizer="sgd", learning_rate=1e6, schedule="constant")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_weight_that_is_no_number_is_never_kept(tiny_net, tmp_path, monkeypatch):
    train(tmp_path / "whole", epochs=2)
    end = keras.callbacks.TensorBoard.on_epoch_end

    def spoil(self, epoch, logs=None):
        end(self, epoch, logs)
        if epoch == 1:
            self.model.get_layer("logits").bias.assign(np.full(10, np.nan))

    monkeypatch.setattr(keras.callbacks.TensorBoard, "on_epoch_end", spoil)
    with pytest.raises(RunError, match="logits/bias is no number any more at the end of epoch 2"):
        train(tmp_path / "run", epochs=3)
    assert kept(tmp_path / "run") == ["epoch-1.weights.h5"]
