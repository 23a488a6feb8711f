"""One fault of each kind; `python tests/faults/harness.py` injects as many as asked for."""

import random

import harness
import pytest
from faulty_server import Fault

from keras_fm.store import downloads

BODY = harness.WEIGHTS.read_bytes()


@pytest.mark.parametrize("kind", harness.KINDS)
def test_a_load_is_right_or_an_error_and_a_later_load_repairs_it(kind):
    trial = harness.run_one(0, kind, seed=0, body=BODY)
    assert not trial.errors, f"{trial.fault}: {trial.outcome}: {trial.errors}"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("redirect", variant="endless body"),
        Fault("gzip", variant="bomb"),
        Fault("chunked", variant="too many"),
        Fault("endless"),
        Fault("headers"),
    ],
    ids=str,
)
def test_a_server_that_sends_without_end_takes_no_memory(fault):
    trial = harness.run_one(0, "fault", seed=0, body=BODY, fault=fault)
    assert trial.outcome.startswith("error: ")
    assert not trial.errors


def test_the_same_seed_draws_the_same_faults():
    makers = [harness.network_faults(random.Random(5), 100).values() for _ in range(2)]
    assert [make() for make in makers[0]] == [make() for make in makers[1]]


def test_the_harness_notices_a_store_that_checks_nothing(monkeypatch):
    def receive(url, wanted, draft):
        draft.write_bytes(b"".join(downloads.chunks(url, 1 << 30)))

    monkeypatch.setattr(downloads, "_transfer", receive)
    for kind in ("another file", "sign-in page"):
        assert harness.run_one(0, kind, seed=0, body=BODY).errors
