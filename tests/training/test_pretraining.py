import helpers
import keras
import numpy as np
import pytest

from keras_fm.errors import InvalidInputError, RunError, UnknownNameError
from keras_fm.models import loading, transfer
from keras_fm.models.spec import spec_of
from keras_fm.training import runs, training

SHARED = ("token_embedding",)


def train(path, **options):
    return training.train("tiny_filler", data="sample", run_dir=path, **options)


@pytest.fixture
def stop_at(monkeypatch):
    """`stop_at(task, epoch)`: Ctrl-C at the end of that epoch of that task's training."""
    usual = training.monitoring.callbacks

    def stop_at(stage, epoch):
        def callbacks(path, batches, task, model):
            def stop(now, logs):
                if (task.identity.task, now) == (stage, epoch):
                    raise KeyboardInterrupt

            return [
                *usual(path, batches, task, model),
                keras.callbacks.LambdaCallback(on_epoch_end=stop),
            ]

        monkeypatch.setattr(training.monitoring, "callbacks", callbacks)

    return stop_at


def test_a_training_goes_on_with_what_was_learned_before(tiny_reader, tmp_path):
    run = train(tmp_path / "run", learning_rate=1e-12, seed=3)
    before = runs.load_run(tmp_path / "run" / "pretraining")
    assert spec_of(before.model).task == "fill-mask"
    assert before.metrics["perplexity"] < 400
    assert all(np.allclose(a, b, atol=1e-6) for name in SHARED for a, b in zip(
        run.model.get_layer(name).get_weights(), before.model.get_layer(name).get_weights(),
        strict=True,
    ))  # fmt: skip
    random = train(tmp_path / "random", learning_rate=1e-12, seed=3, init_from="random")
    assert not (tmp_path / "random" / "pretraining").exists()
    embeddings = (r.model.get_layer("token_embedding").get_weights()[0] for r in (run, random))
    assert not np.allclose(*embeddings)
    assert np.allclose(*(r.model.get_layer("logits").get_weights()[0] for r in (run, random)))
    assert run.minutes > before.minutes
    assert "started from pretraining" in run.report()
    assert "started from" not in random.report()


def test_several_trainings_start_from_one_pretraining(tiny_reader, tmp_path):
    train(tmp_path / "run", epochs=1)
    start = tmp_path / "run" / "pretraining"
    other = train(tmp_path / "other", init_from=start, learning_rate=1e-12, seed=5)
    assert np.allclose(
        other.model.get_layer("token_embedding").get_weights()[0],
        runs.open_run(start).model.get_layer("token_embedding").get_weights()[0],
        atol=1e-6,
    )
    assert f"started from {start}" in other.report()
    assert not (other.path / "pretraining").exists()


def test_the_head_goes_on_where_the_answers_are_the_same(tiny_reader, tmp_path):
    first = train(tmp_path / "first", init_from="random", epochs=1)
    second = train(tmp_path / "second", init_from=first.path, learning_rate=1e-12)
    assert np.allclose(*(r.model.get_layer("logits").get_weights()[0] for r in (first, second)))


def test_a_training_stopped_in_either_stage_ends_as_one_that_was_not(
    tiny_reader, tmp_path, stop_at
):
    whole = train(tmp_path / "whole", **{"pretraining.epochs": 3})
    stop_at("fill-mask", 1)
    with pytest.raises(KeyboardInterrupt, match="--resume"):
        train(tmp_path / "stopped", **{"pretraining.epochs": 3})
    stop_at("text-classification", 1)
    with pytest.raises(KeyboardInterrupt, match="--resume"):
        train(tmp_path / "stopped", resume=True)
    stop_at(None, None)
    resumed = train(tmp_path / "stopped", resume=True)
    assert helpers.same_weights(whole.model, resumed.model)
    assert len(runs.read_history(tmp_path / "stopped" / "pretraining" / "history.csv")) == 3


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"start": "nowhere"}, UnknownNameError, "unknown model 'nowhere'"),
        ({"start": "random", "pretraining.epochs": 1}, UnknownNameError, "starts from 'random'"),
        ({"pretraining.epoch": 1}, UnknownNameError, "no field 'epoch'.*'epochs'"),
        ({"pretraining.validation_examples": 256}, Exception, "has only 256"),
        ({"resume": True, "start": "random"}, RunError, "leave out start"),
    ],
)
def test_what_a_training_can_not_start_from_is_an_error(
    options, error, sentence, tiny_reader, tmp_path
):
    with pytest.raises(error, match=sentence):
        train(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_model_without_a_pretraining_says_so(tmp_path):
    with pytest.raises(UnknownNameError, match="'mlp' has no pretraining"):
        training.train("mlp", init_from="pretraining", run_dir=tmp_path / "run")


def test_other_layers_are_no_start(tiny_reader, small_run, tmp_path):
    with pytest.raises(InvalidInputError, match="tiny_filler has no layer of"):
        train(tmp_path / "run", init_from=small_run.path)
    model = loading.get("tiny_filler", weights=None)
    wider = loading.get("tiny_filler", weights=None, width=5)
    with pytest.raises(InvalidInputError, match="'token_embedding' has other shapes"):
        transfer.transfer_weights(model, wider)
    assert not (tmp_path / "run").exists()
