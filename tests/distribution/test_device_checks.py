"""Trainings that several devices can't share are refused by name."""

import dataclasses

import helpers
import keras
import numpy as np
import pytest

from keras_fm import registry
from keras_fm.distribution.devices import (
    CopyReplica,
    Devices,
    check_available,
    copy_variables,
    on_devices,
)
from keras_fm.errors import InvalidInputError
from keras_fm.models.spec import ModelSpec
from keras_fm.training.device_checks import check_devices_of, check_same_in_processes
from keras_fm.training.jobs import TrainingJob

NEEDS_TENSORFLOW = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's strategy"
)


class TwoDevices(Devices):
    count = 2
    divides_any_step = False


def job_of(name, **fields):
    package, _ = registry.find(name)
    spec = ModelSpec.of(package)
    recipe = spec.task.default_recipe().override(**fields)
    return TrainingJob(spec, helpers.noise(), None, recipe, 0)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("cifar_cnn", {"batch_size": 1}, "devices=2: a batch of 1 has too few examples"),
        ("cifar_cnn", {"teacher": "cifar_cnn"}, "a training with teacher runs on one device"),
        (
            "cifar_cnn",
            {"trainable": "adapters", "lora_rank": 4},
            'a training with strategy="lora" runs on one',
        ),
        ("gan", {}, "gan is trained by a step of its own"),
        ("mini_bert", {"adversarial_epsilon": 0.1}, "mini_bert is trained by a step of its own"),
    ],
)
def test_a_training_that_cannot_be_shared_is_refused(name, fields, message):
    job = job_of(name, **fields)
    check_devices_of(job)
    with on_devices(TwoDevices()), pytest.raises(InvalidInputError, match=message):
        check_devices_of(job)


def test_an_ensemble_by_folds_is_refused():
    job = job_of("cifar_cnn")
    job = dataclasses.replace(job, spec=dataclasses.replace(job.spec, folds=3))
    with on_devices(TwoDevices()), pytest.raises(InvalidInputError, match="a training with folds"):
        check_devices_of(job)


def test_what_two_devices_can_share_is_not_refused():
    with on_devices(TwoDevices()):
        check_devices_of(job_of("cifar_cnn"))


def test_a_copy_has_the_statistics_of_a_normalization():
    def model():
        inputs = keras.Input((2,))
        return keras.Model(inputs, keras.layers.Normalization()(inputs))

    original, copy = model(), model()
    original.layers[1].adapt(np.array([[1.0, 2.0], [3.0, 8.0]]))
    copy_variables(original, copy)
    np.testing.assert_allclose(copy(np.array([[2.0, 5.0]])), 0.0, atol=1e-6)


def test_the_model_has_the_weights_of_its_replica_after_an_epoch():
    original, replica = (keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]) for _ in "ab")
    replica.compile("sgd", "mse")
    data = np.ones((4, 2)), np.ones((4, 1))
    replica.fit(*data, verbose=0, callbacks=[CopyReplica(replica, original)])
    np.testing.assert_array_equal(original.get_weights()[0], replica.get_weights()[0])


def test_more_devices_than_there_are_is_an_error():
    check_available(2, 2, is_cpu=False)
    with pytest.raises(InvalidInputError, match="devices=3: this machine has fewer GPUs: 2"):
        check_available(3, 2, is_cpu=False)
    with pytest.raises(InvalidInputError, match="no GPU; CPU cores: 2"):
        check_available(3, 2, is_cpu=True)


@NEEDS_TENSORFLOW
def test_no_epoch_of_several_devices_waits_for_the_autotuning_of_tf_data():
    from keras_fm.distribution.mirrored import MirroredDevices

    devices = object.__new__(MirroredDevices)  # this process has used its CPU as one device
    devices.count = 2
    task = ModelSpec.of(registry.find("cifar_cnn")[0]).task
    batches = task.data.batches(helpers.noise(), task.default_recipe(), seed=0).as_dataset()
    assert devices.training_data(batches).options().autotune.enabled is False


class TwoProcesses(Devices):
    num_processes = 2

    def check_same(self, values):
        self.values = values


def test_processes_compare_all_that_their_trainings_depend_on():
    def values_of(job, pretrained=None):
        devices = TwoProcesses()
        with on_devices(devices):
            check_same_in_processes([job], pretrained)
        return devices.values

    job = job_of("cifar_cnn_basic")
    values = values_of(job)
    others = {
        "recipe": values_of(job_of("cifar_cnn_basic", epochs=1234)),
        "seed": values_of(dataclasses.replace(job, seed=1)),
        "set of training data": values_of(dataclasses.replace(job, examples=helpers.noise(seed=1))),
        "set of validation data": values_of(dataclasses.replace(job, validation=helpers.noise())),
        "set of initial weights": values_of(
            job, keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        ),
    }
    for name, other in others.items():
        assert [key for key in values if values[key] != other[key]] == [name]
    assert values_of(job_of("cifar_cnn"))["model"] != values["model"]
