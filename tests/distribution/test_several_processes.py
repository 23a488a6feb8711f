"""A training in several processes learns what it learns in one."""

import functools
import json
import os
import shutil
import socket
import subprocess

import pytest
import training_processes
from training_processes import UNEVEN, assert_same, ended, free_address, start

# By hand: beside other tests the processes wait longer for each other than JAX lets them.
pytestmark = [pytest.mark.by_hand, pytest.mark.timeout(1300)]

TABLE, TEXTS = "linear_regression", "tiny_lstm"
FIELDS = {
    TABLE: {**UNEVEN, "global_clipnorm": 0.05},
    TEXTS: {**UNEVEN, "epochs": 1, "token_dropout": 0.1, "global_clipnorm": 1.0},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder of PYTHONPATH with a small text model."""
    return training_processes.write_small_text_model(tmp_path_factory.mktemp("site"), 0.2)


@pytest.fixture(scope="module")
def alone(site, tmp_path_factory):
    """`alone("lstm")`: the history of one process, which is trained once."""
    return functools.cache(lambda name: train(tmp_path_factory.mktemp("alone"), name, 1, site))


def train(run_dir, name, count, site, address=None, prefixes=((), (), (), ())):
    """Train a model in several processes; return the history that process 0 printed."""
    address = address or free_address()
    processes = [
        start(
            *("-c", training_processes.TRAIN, run_dir / name, name, json.dumps(FIELDS[name])),
            f"{address},{count},{index}",
            prefix=prefixes[index],
            PYTHONPATH=site,
        )
        for index in range(count)
    ]
    outputs = ended(processes)
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors[-3000:]
    return json.loads(outputs[0][0].splitlines()[-1])


@pytest.mark.parametrize("name", [TABLE, TEXTS])
def test_two_processes_learn_what_one_learns(tmp_path, alone, site, name):
    assert_same(train(tmp_path, name, 2, site), alone(name))


def test_four_processes_learn_what_one_learns_and_the_first_one_writes(tmp_path, alone, site):
    num_examples = 256 - UNEVEN["validation_examples"]
    assert num_examples % UNEVEN["batch_size"] % 4  # the last batch can't be shared equally
    assert_same(train(tmp_path, TABLE, 4, site), alone(TABLE))
    # One process alone wrote: its ID is in the name of each file of events.
    writers = {path.name.split(".")[-3] for path in tmp_path.rglob("*tfevents*")}
    assert len(writers) == 1
    assert [path.name for path in tmp_path.iterdir()] == [TABLE]


@pytest.fixture
def network_namespaces(tmp_path):
    """Two network namespaces with an interface each; yields commands that run in them.

    Their addresses are 10.77.0.1 and 10.77.0.2, also by the name of the machine, which JAX's
    collectives look up.
    """
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("needs root and iproute2")
    tag = os.getpid()
    names, links = [f"keras-fm-{tag}-{i}" for i in "ab"], [f"kfm{tag}{i}" for i in "ab"]

    def ip(*arguments):
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"ip {' '.join(arguments)}: {done.stderr.strip()}")

    commands = []
    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", links[0], "type", "veth", "peer", "name", links[1])
        for name, link, address in zip(names, links, ["10.77.0.1", "10.77.0.2"], strict=True):
            ip("link", "set", link, "netns", name)
            ip("-n", name, "address", "add", f"{address}/24", "dev", link)
            ip("-n", name, "link", "set", link, "up")
            ip("-n", name, "link", "set", "lo", "up")
            hosts = tmp_path.parent / f"{name}-hosts"
            hosts.write_text(f"127.0.0.1 localhost\n{address} {socket.gethostname()}\n")
            mount = f'mount --bind {hosts} /etc/hosts && exec "$@"'  # in this process alone
            commands.append(
                ("ip", "netns", "exec", name, "unshare", "--mount", "sh", "-c", mount, "sh")
            )
        yield commands
    finally:
        for name in names:  # and with it its interface
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def test_two_machines_learn_what_one_learns(tmp_path, alone, site, network_namespaces):
    history = train(tmp_path, TABLE, 2, site, "10.77.0.1:4321", network_namespaces)
    assert_same(history, alone(TABLE))
