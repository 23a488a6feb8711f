"""Wrong options of a training on several devices: one sentence, before anything slow."""

import pytest

from keras_fm.distribution import arguments
from keras_fm.errors import InvalidInputError
from keras_fm.training.fine_tuning_options import check_fine_tune
from keras_fm.training.train_arguments import check_train


@pytest.mark.parametrize("devices", [0, -1, 1.5, True, "2"])
def test_devices_is_a_whole_number(devices):
    with pytest.raises(InvalidInputError, match="devices is a whole number from 1"):
        check_train("cifar_cnn", devices=devices)


@pytest.mark.parametrize(
    "hosts", ["", "10.0.0.1,2,0", "10.0.0.1:1,2", "h:1,2,2", "h:1,two,0", ":1,2,0", "h:1,2,0,0"]
)
def test_hosts_names_address_processes_and_index(hosts, monkeypatch):
    monkeypatch.setattr(arguments, "_backend", lambda: "jax")
    with pytest.raises(InvalidInputError, match="hosts is ADDRESS:PORT,PROCESSES,INDEX"):
        check_train("cifar_cnn", hosts=hosts)


def test_hosts_are_read():
    assert arguments.parse_hosts("[::1]:80,3,2") == arguments.Hosts("[::1]:80", 3, 2)


def test_hosts_are_for_jax(monkeypatch, tmp_path):
    monkeypatch.setattr(arguments, "_backend", lambda: "tensorflow")
    with pytest.raises(InvalidInputError, match="hosts is for the JAX backend"):
        check_fine_tune("cifar_cnn", tmp_path, hosts="h:1,2,0")


def test_the_variables_of_sagemaker_are_read(monkeypatch):
    monkeypatch.setattr(arguments, "_backend", lambda: "jax")
    monkeypatch.setenv("SM_HOSTS", '["algo-2", "algo-1"]')
    monkeypatch.setenv("SM_CURRENT_HOST", "algo-2")
    hosts = arguments.check_devices(None, "auto")
    assert hosts == arguments.Hosts(f"algo-1:{arguments.SAGEMAKER_PORT}", 2, 1)


@pytest.mark.parametrize("hosts_timeout", [0, -1, "5", float("inf"), True])
def test_hosts_timeout_is_a_number_of_seconds(hosts_timeout, monkeypatch):
    monkeypatch.setattr(arguments, "_backend", lambda: "jax")
    with pytest.raises(InvalidInputError, match="hosts_timeout is a number of seconds above 0"):
        check_train("cifar_cnn", hosts="h:1,2,0", hosts_timeout=hosts_timeout)


def test_hosts_timeout_needs_hosts():
    with pytest.raises(InvalidInputError, match="hosts_timeout is for a training with hosts"):
        check_train("cifar_cnn", hosts_timeout=5.0)
