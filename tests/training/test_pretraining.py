import helpers
import keras
import numpy as np
import pytest
import tiny_reader as tiny_reader_package

from keras_fm.errors import DataError, InvalidInputError, RunError, UnknownNameError
from keras_fm.models import loading, transfer
from keras_fm.models.spec import spec_of
from keras_fm.training import monitoring, runs, training


@pytest.fixture(scope="module", autouse=True)
def tiny_reader(module_install):
    return tiny_reader_package.install(module_install)


SHORT = {"pretraining.epochs": 1, "epochs": 1}
TINY_STEPS = {**SHORT, "learning_rate": 1e-12}  # the weights stay as they were initialized


def train(path, **options):
    return training.train("tiny_filler", data="sample", run_dir=path, **options)


def weights_of(run, layer):
    return run.model.get_layer(layer).get_weights()[0]


@pytest.fixture(scope="module")
def random_run(tmp_path_factory):
    """A training without pretraining, whose weights stay as they were initialized."""
    path = tmp_path_factory.mktemp("runs") / "random"
    return train(path, init_from="random", seed=3, epochs=1, learning_rate=1e-12)


@pytest.fixture
def interrupt(monkeypatch):
    """`interrupt(task_name, epoch)`: Ctrl-C at the end of that epoch of that task's training."""
    callbacks = monitoring.callbacks

    def interrupt(task_name, epoch):
        def with_interrupt(path, batches, task, model):
            def stop(current_epoch, logs):
                if (task.spec.task_name, current_epoch) == (task_name, epoch):
                    raise KeyboardInterrupt

            return [
                *callbacks(path, batches, task, model),
                keras.callbacks.LambdaCallback(on_epoch_end=stop),
            ]

        monkeypatch.setattr(monitoring, "callbacks", with_interrupt)

    return interrupt


def test_a_training_starts_with_the_pretrained_backbone(random_run, tmp_path):
    run = train(tmp_path / "run", **TINY_STEPS, seed=3)
    pretraining = runs.load_run(tmp_path / "run" / "pretraining")
    assert spec_of(pretraining.model).task_name == "fill-mask"
    assert 1 < pretraining.metrics["perplexity"] < 400
    pretrained = weights_of(pretraining, "token_embedding")
    np.testing.assert_allclose(weights_of(run, "token_embedding"), pretrained, atol=1e-6)
    assert run.minutes > pretraining.minutes
    assert "initialized from pretraining" in run.report()

    assert not (random_run.path / "pretraining").exists()
    assert not np.allclose(weights_of(random_run, "token_embedding"), pretrained)
    np.testing.assert_allclose(weights_of(random_run, "logits"), weights_of(run, "logits"))
    assert "initialized from" not in random_run.report()


@pytest.mark.thorough
def test_a_training_starts_with_the_backbone_of_an_earlier_pretraining(tmp_path):
    train(tmp_path / "run", **TINY_STEPS, seed=3)
    path = tmp_path / "run" / "pretraining"
    pretrained = weights_of(runs.load_run(path), "token_embedding")
    other = train(tmp_path / "other", init_from=path, epochs=1, learning_rate=1e-12, seed=5)
    np.testing.assert_allclose(weights_of(other, "token_embedding"), pretrained, atol=1e-6)
    assert f"initialized from {path}" in other.report()
    assert not (other.path / "pretraining").exists()


def test_the_head_is_transferred_from_a_model_of_the_same_classes(random_run, tmp_path):
    options = {"epochs": 1, "learning_rate": 1e-12, "seed": 1}
    run = train(tmp_path / "run", init_from=random_run.path, **options)
    np.testing.assert_allclose(
        weights_of(random_run, "logits"), weights_of(run, "logits"), atol=1e-6
    )


@pytest.mark.thorough
def test_a_training_stopped_in_either_stage_ends_as_an_uninterrupted_one(tmp_path, interrupt):
    options = {"pretraining.epochs": 2}
    uninterrupted = train(tmp_path / "uninterrupted", **options)
    interrupt("fill-mask", 0)
    with pytest.raises(KeyboardInterrupt, match="--resume"):
        train(tmp_path / "stopped", **options)
    interrupt("text-classification", 1)
    with pytest.raises(KeyboardInterrupt, match="--resume"):
        train(tmp_path / "stopped", resume=True)
    interrupt("fill-mask", 0)  # which is complete, and not entered again
    resumed = train(tmp_path / "stopped", resume=True)
    assert helpers.same_weights(uninterrupted.model, resumed.model)
    assert len(runs.read_history(tmp_path / "stopped" / "pretraining" / "history.csv")) == 2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"init_from": "nowhere"}, UnknownNameError, "unknown model 'nowhere'"),
        ({"init_from": "random", "pretraining.epochs": 1}, UnknownNameError,
         "pretraining.epochs: this .* has no pretraining, for it is initialized from 'random'"),
        ({"pretraining.epoch": 1}, UnknownNameError, "no field 'epoch'.*'epochs'"),
        ({"pretraining.validation_examples": 256}, DataError, "has only 256"),
        ({"resume": True, "init_from": "random"}, RunError, "leave out init_from"),
    ],
)  # fmt: skip
def test_an_impossible_initialization_is_an_error(options, error, message, tmp_path):
    with pytest.raises(error, match=message):
        train(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_model_without_pretraining_can_not_be_initialized_from_it(tmp_path):
    with pytest.raises(UnknownNameError, match="'mlp' has no pretraining"):
        training.train("mlp", init_from="pretraining", run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_of_other_layers_or_shapes_is_no_initialization(small_run, tmp_path):
    with pytest.raises(InvalidInputError, match="tiny_filler has no layer of"):
        train(tmp_path / "run", init_from=small_run.path)
    assert not (tmp_path / "run").exists()
    model = loading.get("tiny_filler", weights=None)
    wider = loading.get("tiny_filler", weights=None, width=5)
    with pytest.raises(InvalidInputError, match="'token_embedding' has other shapes"):
        transfer.transfer_weights(model, wider)
