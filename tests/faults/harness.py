"""Fault injection for downloads, from a seed.

    python tests/faults/harness.py --count 200 --seed 0

A trial is a load under a fault, then one without. The first must end with the correct numbers or
with one sentence (a `KerasFmError`), the second with the correct numbers; a file with its final
name is complete at any time, and nothing else stays in the cache.
"""

import argparse
import contextlib
import logging
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import helpers
import loader
from faulty_server import Fault, serving
from machine import Machine, resource_limits

from keras_fm.store import cache, downloads

WEIGHTS = helpers.ROOT / "zoo/linear_regression/weights/linear_regression.v1.weights.h5"
PATIENT = {"READ_TIMEOUT": 20.0, "GRACE_SECONDS": 60.0, "BACKOFF_SECONDS": 0.01}
# Of a server that stays silent for good, or nearly so: no attempt has to overcome it.
WAITS, BRIEF = {"silence", "stall", "drip"}, {"READ_TIMEOUT": 0.3, "GRACE_SECONDS": 0.3}
MAX_MEGABYTES = 30


@dataclass
class Trial:
    """The outcome of a fault. problems: what should not have happened."""

    number: int
    kind: str
    fault: str
    outcome: str = ""
    problems: list[str] = field(default_factory=list)


# Faults of the network.


def network_faults(rng: random.Random, size: int) -> dict[str, Callable[[], Fault]]:
    """Return functions that draw a fault, by its kind."""

    def at() -> int:
        return rng.choice([0, 1, size // 2, size - 1, rng.randrange(size)])

    def times() -> int:
        return rng.choice([1, 2, downloads.MAX_ATTEMPTS - 1, 1_000])

    def plain(kind: str) -> Callable[[], Fault]:
        return lambda: Fault(kind, at(), times())

    def one_of(kind: str, *how: object) -> Callable[[], Fault]:
        return lambda: Fault(kind, at(), times(), rng.choice(how))

    waits = (None, 0, 1, "0.5", "soon", -3, 10**9, 10**400, "Wed, 21 Oct 2015 07:28:00 GMT")
    codes = (503, 503, 429, 429, 500, 502, 504, 403, 404, 410, 206, 204, 304, 100)
    return {
        "cut": plain("cut"),
        "reset": plain("reset"),
        "flip": one_of("flip", *range(8)),
        "another file": plain("other"),
        "sign-in page": plain("page"),
        "empty": plain("empty"),
        "503 and 429": one_of("status", *((code, wait) for code in codes[:4] for wait in waits)),
        "other status": one_of("status", *((code, None) for code in codes[4:])),
        "silence": plain("silence"),
        "stall": plain("stall"),
        "drip": plain("drip"),
        "redirect": one_of(
            "redirect", "chain", "loop", "endless body", "file:///etc/passwd", "ftp://127.0.0.1/",
            "http://127.0.0.1:1/", "http://[", "//", "\x00",
        ),
        "longer": one_of("longer", "announced", "unannounced"),
        "shorter": plain("shorter"),
        "length": one_of("length", "", "banana", -5, "1e3", f"{size}, {size + 1}", "9" * 5000),
        "endless": plain("endless"),
        "gzip": one_of("gzip", "honest", "cut", "lie", "bomb"),
        "chunked": one_of("chunked", "honest", "no end", "no number", "too many"),
        "no HTTP": plain("no_http"),
        "headers": plain("headers"),
    }  # fmt: skip


# Kinds that another attempt overcomes; of the other kinds it overcomes some.
TRANSIENT = {"cut", "reset", "flip", "another file", "sign-in page", "empty", "shorter"}


def break_network(machine: Machine, fault: Fault, trial: Trial) -> None:
    """Load from a server with one of the faults above."""
    trial.fault = f"{fault.kind} at {fault.at:,}, {fault.times} times, {fault.how!r:.40}"
    settings = loader.IMPATIENT | (BRIEF if trial.kind in WAITS else {})
    with serving(machine.body, fault) as server, resource_limits() as growth:
        trial.outcome = machine.load(server.url, settings)
    if growth() > MAX_MEGABYTES:
        trial.problems.append(f"it took {growth():.0f} MB of memory")
    if "File too large" in trial.outcome:
        trial.problems.append("it took 50 MB of the disk")
    is_transient = fault.how in ("honest", "chain") or (
        trial.kind in TRANSIENT and fault.times < downloads.MAX_ATTEMPTS
    )
    if is_transient and trial.outcome != "correct":
        trial.problems.append("another attempt could have overcome it")


# Faults of the process and its disk.


def kill(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """Kill the process when the server has sent some bytes; another process may be waiting."""
    at, waiting = rng.randrange(len(machine.body)), rng.random() < 0.5
    trial.fault = f"SIGKILL at byte {at:,}{', another waits' * waiting}"
    with serving(machine.body, Fault("stall", at, times=1)) as server:
        victim = machine.start(server.url, PATIENT)
        assert server.reached.wait(60)
        other = machine.start(server.url, PATIENT) if waiting else None
        time.sleep(rng.choice([0, 0, 0.01, 0.3]))
        victim.kill()
        victim.communicate()
        trial.problems += machine.problems(after_repair=False)
        trial.outcome = machine.outcome(other) if other else "killed"


def kill_anywhere(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """Kill the process at a random moment."""
    after = rng.uniform(0.1, 1.0)
    trial.fault = f"SIGKILL after {after:.2f} s"
    with serving(machine.body) as server:
        victim = machine.start(server.url, PATIENT)
        time.sleep(after)
        victim.kill()
        victim.communicate()
        trial.outcome = "killed"


def full_disk(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """Load onto a disk that is too small (ENOSPC), or with a limit of the file size (EFBIG)."""
    at = rng.randrange(len(machine.body))
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(machine.body))
        small = rng.random() < 0.5 and stack.enter_context(small_disk(machine.home, at))
        trial.fault = f"{'a disk' if small else 'a file size limit'} of {at:,} bytes"
        limits = {} if small else {"FILE_SIZE": at or 1}
        trial.outcome = machine.outcome(machine.start(server.url, PATIENT | limits))
        if "can't be stored" not in trial.outcome:
            trial.problems.append("the sentence doesn't say that it can't be stored")
        if small:
            enlarge(machine.home)
            repair(machine, trial)
    if not machine.home.exists():
        machine.home.mkdir()


@contextlib.contextmanager
def small_disk(path: Path, size: int) -> Iterator[bool]:
    """Mount a file system in memory at `path`; yield False where this machine forbids it."""
    path.mkdir()
    option = f"size={max(size // 4096, 1) * 4096}"  # whole pages
    mount = ["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(path)]
    mounted = shutil.which("mount") and not subprocess.run(mount, capture_output=True).returncode
    try:
        yield bool(mounted)
    finally:
        if mounted:
            subprocess.run(["umount", str(path)], check=True)


def enlarge(path: Path) -> None:
    """Enlarge a `small_disk`."""
    subprocess.run(["mount", "-o", "remount,size=10m", str(path)], check=True)


def eight_at_once(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """Load the same file in eight processes, one of which downloads it."""
    faults = [Fault(), Fault("cut", 5_000, 1), Fault("flip", 7, 1), Fault("status", 0, 2, (503, 0))]
    fault = rng.choice(faults)
    trial.fault = f"eight processes, {fault.kind}"
    with serving(machine.body, fault) as server:
        processes = [machine.start(server.url, PATIENT) for _ in range(8)]
        outcomes = Counter(machine.outcome(process) for process in processes)
    trial.outcome = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    if outcomes != {"correct": 8}:
        trial.problems.append("not all of them are right")
    if server.complete_responses != 1:
        trial.problems.append(f"the file was sent {server.complete_responses} times")


def damage(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """Cut, alter or replace a file in the cache, with or without a server to download it from."""
    body, path = machine.body, machine.file
    how = rng.choice(
        ["cut", "flip", "empty", "zeros", "page", "partial", "folder", "dangling link"]
    )
    at = rng.randrange(len(body))
    reachable = rng.random() < 0.6
    trial.fault = f"cached file: {how} at {at:,}, {'a' if reachable else 'no'} server"
    path.parent.mkdir(parents=True)
    contents = {
        "cut": body[:at],
        "flip": body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :],
        "empty": b"",
        "zeros": bytes(len(body)),
        "page": b"<html>",
    }
    if how == "folder":
        path.mkdir()
    elif how == "dangling link":
        path.symlink_to("nowhere")
    elif how == "partial":
        cache.partial_path(path).write_bytes(body[:at])
        cache.lock_path(path).touch()
    else:
        path.write_bytes(contents[how])
    with serving(body) as server:
        url = server.url if reachable else "http://127.0.0.1:1"
        trial.outcome = machine.load(url, loader.IMPATIENT)
    if how == "folder":
        path.rmdir()
    elif reachable and trial.outcome != "correct":
        trial.problems.append("it was not downloaded again")


LOCAL = {
    "kill at a byte": kill,
    "kill at a moment": kill_anywhere,
    "full disk": full_disk,
    "eight at once": eight_at_once,
    "damaged cache": damage,
}
KINDS = (*network_faults(random.Random(0), 1_000), *LOCAL)


def repair(machine: Machine, trial: Trial) -> None:
    """Load again, from a server without faults: this must be correct."""
    with serving(machine.body) as server:
        outcome = machine.load(server.url, PATIENT)
    if outcome != "correct":
        trial.problems.append(f"a later load does not repair it: {outcome}")
    trial.problems += machine.problems(after_repair=True)


def run_trial(number: int, kind: str, seed: int, body: bytes, fault: Fault | None = None) -> Trial:
    """Run a trial; without a `fault`, seed and number decide it."""
    rng = random.Random(f"{seed} {number} {kind}")
    trial = Trial(number, kind, kind)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        machine = Machine(Path(folder), body)
        if kind in LOCAL:
            LOCAL[kind](machine, rng, trial)
        else:
            break_network(machine, fault or network_faults(rng, len(body))[kind](), trial)
        if kind != "damaged cache":
            trial.problems += machine.problems(after_repair=False)
        repair(machine, trial)
    if not trial.outcome.startswith(("correct", "error: ", "killed", "8 correct")):
        trial.problems.append("neither correct nor one sentence")
    return trial


def run(count: int, seed: int) -> Iterator[Trial]:
    """Run trials of all kinds in turn."""
    body = WEIGHTS.read_bytes()
    for number in range(count):
        yield run_trial(number, KINDS[number % len(KINDS)], seed, body)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # a warning for each retry
    started, outcomes, failed = time.monotonic(), Counter(), 0
    for trial in run(options.count, options.seed):
        print(f"{trial.number:3} {trial.kind}: {trial.fault}\n      {trial.outcome}", flush=True)
        for problem in trial.problems:
            print(f"      WRONG: {problem}", flush=True)
        outcomes[trial.kind, trial.outcome.partition(":")[0]] += 1
        failed += bool(trial.problems)
    print()
    for (kind, outcome), number in sorted(outcomes.items()):
        print(f"{kind:20} {outcome:10} {number}")
    duration = f"{time.monotonic() - started:.0f} s"
    print(f"\n{options.count} faults, seed {options.seed}: {failed} failed; {duration}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
