"""Processes that can't train together all end with the same sentence."""

import socket
import threading
import time

import pytest

from keras_fm.distribution import rendezvous
from keras_fm.distribution.arguments import Hosts
from keras_fm.errors import DistributedError

SETTINGS = {"devices": None, "jax": "1.0"}


def free_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def outcomes(*processes, timeout=20.0):
    """Let processes meet, each in a thread; return the error of each, "" for none."""
    results = [None] * len(processes)

    def run(number, hosts, settings):
        try:
            rendezvous.meet(hosts, settings, timeout)
            results[number] = ""
        except DistributedError as error:
            results[number] = str(error)

    threads = [
        threading.Thread(target=run, args=(number, *process), daemon=True)
        for number, process in enumerate(processes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout + 20)
    return results


def test_four_processes_meet_in_any_order():
    address = free_address()
    assert outcomes(*((Hosts(address, 4, index), SETTINGS) for index in (2, 3, 0, 1))) == [""] * 4


def test_a_port_probe_is_no_process():
    address = free_address()

    def probe():
        for _ in range(100):
            try:
                with socket.create_connection(("127.0.0.1", int(address.split(":")[1]))) as sock:
                    sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return
            except OSError:
                time.sleep(0.05)

    thread = threading.Thread(target=probe)
    thread.start()
    one, *late = ((Hosts(address, 2, index), SETTINGS) for index in (0, 1))
    timer = threading.Timer(1.0, lambda: results.extend(outcomes(*late)))
    results = []
    timer.start()
    assert outcomes(one) == [""]
    thread.join()
    timer.join()
    assert results == [""]


def test_a_missing_process_is_named_in_all_others():
    address = free_address()
    processes = [(Hosts(address, 4, index), SETTINGS) for index in (0, 2)]
    first, second = outcomes(*processes, timeout=2.0)
    assert first == second
    assert first.startswith(
        f"2 of 4 processes have arrived at {address} within 2 seconds, without processes 1, 3: "
    )
    assert "hosts_timeout" in first


def test_a_missing_first_process_is_named():
    address = free_address()
    [error] = outcomes((Hosts(address, 2, 1), SETTINGS), timeout=1.0)
    assert error.startswith(
        f"process 0 can't be reached at {address} within 1 seconds (Connection refused): "
    )


def test_a_process_that_started_again_is_no_double():
    address = free_address()
    port = int(address.split(":")[1])
    waiting = threading.Thread(target=lambda: results.extend(outcomes(first)))
    results, first = [], (Hosts(address, 2, 0), SETTINGS)
    hello = b'{"index": 1, "count": 3, "settings": {"devices": null, "jax": "1.0"}}\n'
    first = (Hosts(address, 3, 0), SETTINGS)
    waiting.start()
    for _ in range(100):
        try:
            with socket.create_connection(("127.0.0.1", port)) as ended:
                ended.sendall(hello)
                time.sleep(0.3)
            break
        except OSError:
            time.sleep(0.05)
    assert outcomes(*((Hosts(address, 3, index), SETTINGS) for index in (1, 2))) == ["", ""]
    waiting.join()
    assert results == [""]


@pytest.mark.parametrize(
    ("other", "settings", "message"),
    [
        ((3, 1), SETTINGS, "process 1 of hosts is started as one of 3 processes, process 0 as one"),
        ((2, 0), SETTINGS, "can't listen at"),
        ((2, 1), {**SETTINGS, "jax": "0.9"}, "process 1 of hosts has jax 0.9, process 0 has 1.0"),
        (
            (2, 1),
            {**SETTINGS, "devices": 2},
            "process 1 of hosts has devices 2, process 0 has None",
        ),
    ],
)
def test_a_process_that_does_not_fit_ends_both(other, settings, message):
    address = free_address()
    processes = (Hosts(address, 2, 0), SETTINGS), (Hosts(address, *other), settings)
    errors = outcomes(*processes, timeout=3.0)
    assert any(message in error for error in errors)
    assert all(errors)
    if other[1]:
        assert errors[0] == errors[1]


def test_two_processes_of_one_index_end_all():
    address = free_address()
    errors = outcomes(*((Hosts(address, 4, index), SETTINGS) for index in (0, 1, 1)))
    assert len(set(errors)) == 1
    assert errors[0].startswith("two processes of hosts have the index 1: give each of the 4 its")


def test_an_address_in_use_is_told_by_both():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"

        def reply():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.0 400 Bad request\r\n")

        thread = threading.Thread(target=reply)
        thread.start()
        errors = outcomes(*((Hosts(address, 2, index), SETTINGS) for index in (0, 1)))
        thread.join()
    assert errors[0] == (
        f"process 0 can't listen at {address}: the port is in use; choose another port"
    )
    assert errors[1].startswith(f"what listens at {address} is not process 0 of this training")


@pytest.mark.parametrize("index", [0, 1])
def test_an_address_that_cannot_be_resolved_is_told(index, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    port = free_address().split(":")[1]
    [error] = outcomes((Hosts(f"no.such.host:{port}", 2, index), SETTINGS), timeout=1.0)
    assert error == (
        "'no.such.host' in hosts can't be resolved within 1 seconds (Name or service not known): "
        "name the machine of process 0, or its IP address"
    )
