"""A fault of each kind; `python tests/faults/harness.py --count N` tries more."""

import random

import harness
import pytest
from faulty_server import Fault

from keras_fm.store import downloads

BODY = harness.WEIGHTS.read_bytes()


# Of a slow server the fast kind is the stall.
SLOW = ("drip", "silence", "eight at once")


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[pytest.mark.thorough] * (kind in SLOW)) for kind in harness.KINDS],
)
def test_a_load_is_correct_or_an_error_and_a_later_load_repairs_it(kind):
    trial = harness.run_trial(0, kind, seed=0, body=BODY)
    assert not trial.problems, f"{trial.fault}: {trial.outcome}: {trial.problems}"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("redirect", how="endless body"),
        Fault("gzip", how="bomb"),
        Fault("chunked", how="too many"),
        Fault("endless"),
        Fault("headers"),
    ],
    ids=str,
)
def test_an_endless_response_takes_no_memory(fault):
    trial = harness.run_trial(0, "fault", seed=0, body=BODY, fault=fault)
    assert trial.outcome.startswith("error: ")
    assert not trial.problems


def test_the_same_seed_makes_the_same_faults():
    makers = [harness.network_faults(random.Random(5), 100).values() for _ in range(2)]
    assert [make() for make in makers[0]] == [make() for make in makers[1]]


def test_the_harness_notices_a_store_that_checks_nothing(monkeypatch):
    def receive(url, file, stream):
        stream.write(b"".join(downloads.chunks(url, 1 << 30)))

    monkeypatch.setattr(downloads, "_transfer", receive)
    for kind in ("another file", "sign-in page"):
        assert harness.run_trial(0, kind, seed=0, body=BODY).problems
