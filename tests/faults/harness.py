"""Breaks downloads in every way at hand, from a seed, and says what came of each.

    python tests/faults/harness.py --count 200 --seed 0

A trial is a load under a fault, then one without. The first has to end with the right numbers or
with one sentence (a `KerasFmError`), the second with the right numbers; a file that has its final
name is whole at any time, and nothing else stays in the cache.
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
from machine import Machine, little_room

from keras_fm.store import cache, downloads

WEIGHTS = helpers.ROOT / "zoo/linear_regression/weights/linear_regression.v1.weights.h5"
PATIENT = {"READ_SECONDS": 20.0, "GRACE_SECONDS": 60.0, "PAUSE_SECONDS": 0.01}
TURNS = downloads.MAX_ATTEMPTS
MOST_MEGABYTES = 30


@dataclass
class Trial:
    """What came of one fault. wrong: what should not have happened; nothing, where all is well."""

    number: int
    kind: str
    fault: str
    outcome: str = ""
    wrong: list[str] = field(default_factory=list)


# How the network misbehaves.


def network_faults(rng: random.Random, size: int) -> dict[str, Callable[[], Fault]]:
    """By kind, a fault with chance in it."""

    def at() -> int:
        return rng.choice([0, 1, size // 2, size - 1, rng.randrange(size)])

    def times() -> int:
        return rng.choice([1, 2, TURNS - 1, 1_000])

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


# Those that another try gets over; of the rest, some do and some don't.
PASSING = {"cut", "reset", "flip", "another file", "sign-in page", "empty", "shorter"}


def break_network(machine: Machine, fault: Fault, trial: Trial) -> None:
    """A load from a server with one of the faults above."""
    trial.fault = f"{fault.kind} at {fault.at:,}, {fault.times} times, {fault.how!r:.40}"
    with serving(machine.body, fault) as server, little_room() as taken:
        trial.outcome = machine.load(server.url, loader.IMPATIENT)
    if taken() > MOST_MEGABYTES:
        trial.wrong.append(f"it took {taken():.0f} MB of memory")
    if "File too large" in trial.outcome:
        trial.wrong.append("it took 50 MB of the disk")
    passes = fault.how in ("honest", "chain") or (trial.kind in PASSING and fault.times < TURNS)
    if passes and trial.outcome != "right":
        trial.wrong.append("it could have got over it")


# What befalls the process and its disk.


def kill(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """SIGKILL when the server has sent so many bytes; another process may be waiting then."""
    at, waiting = rng.randrange(len(machine.body)), rng.random() < 0.5
    trial.fault = f"SIGKILL at byte {at:,}{', another waits' * waiting}"
    with serving(machine.body, Fault("stall", at, times=1)) as server:
        victim = machine.start(server.url, PATIENT)
        assert server.reached.wait(60)
        other = machine.start(server.url, PATIENT) if waiting else None
        time.sleep(rng.choice([0, 0, 0.01, 0.3]))
        victim.kill()
        victim.communicate()
        trial.wrong += machine.complaints(after_repair=False)
        trial.outcome = machine.end(other) if other else "killed"


def kill_anywhere(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """SIGKILL at a moment that no byte decides."""
    after = rng.uniform(0.1, 1.0)
    trial.fault = f"SIGKILL after {after:.2f} s"
    with serving(machine.body) as server:
        victim = machine.start(server.url, PATIENT)
        time.sleep(after)
        victim.kill()
        victim.communicate()
        trial.outcome = "killed"


def full_disk(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """A file system with too little room (ENOSPC), or a limit of the file size (EFBIG)."""
    at = rng.randrange(len(machine.body))
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(machine.body))
        small = rng.random() < 0.5 and stack.enter_context(small_disk(machine.home, at))
        trial.fault = f"{'a disk' if small else 'a file size limit'} of {at:,} bytes"
        limits = {} if small else {"FILE_SIZE": at or 1}
        trial.outcome = machine.end(machine.start(server.url, PATIENT | limits))
        if "can't be stored" not in trial.outcome:
            trial.wrong.append("the sentence doesn't say that it can't be stored")
        if small:
            enlarge(machine.home)
            repair(machine, trial)
    if not machine.home.exists():
        machine.home.mkdir()


@contextlib.contextmanager
def small_disk(path: Path, room: int) -> Iterator[bool]:
    """A file system in memory at `path`, whole pages; False where this machine forbids it."""
    path.mkdir()
    size = f"size={max(room // 4096, 1) * 4096}"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(path)]
    mounted = shutil.which("mount") and not subprocess.run(mount, capture_output=True).returncode
    try:
        yield bool(mounted)
    finally:
        if mounted:
            subprocess.run(["umount", str(path)], check=True)


def enlarge(path: Path) -> None:
    """Makes room on a `small_disk`."""
    subprocess.run(["mount", "-o", "remount,size=10m", str(path)], check=True)


def eight_at_once(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """Eight processes want the same file; one of them downloads it."""
    faults = [Fault(), Fault("cut", 5_000, 1), Fault("flip", 7, 1), Fault("status", 0, 2, (503, 0))]
    fault = rng.choice(faults)
    trial.fault = f"eight processes, {fault.kind}"
    with serving(machine.body, fault) as server:
        processes = [machine.start(server.url, PATIENT) for _ in range(8)]
        outcomes = Counter(machine.end(process) for process in processes)
    trial.outcome = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    if outcomes != {"right": 8}:
        trial.wrong.append("not all of them are right")
    if server.whole != 1:
        trial.wrong.append(f"the file was sent {server.whole} times")


def damage(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """A file in the cache that was cut, altered or replaced, with or without a server to ask."""
    body, place = machine.body, machine.file
    how = rng.choice(["cut", "flip", "empty", "zeros", "page", "draft", "folder", "dangling link"])
    at = rng.randrange(len(body))
    reachable = rng.random() < 0.6
    trial.fault = f"cached file: {how} at {at:,}, {'a' if reachable else 'no'} server"
    place.parent.mkdir(parents=True)
    contents = {
        "cut": body[:at],
        "flip": body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :],
        "empty": b"",
        "zeros": bytes(len(body)),
        "page": b"<html>",
    }
    if how == "folder":
        place.mkdir()
    elif how == "dangling link":
        place.symlink_to("nowhere")
    elif how == "draft":
        cache.partial_path(place).write_bytes(body[:at])
        cache.lock_path(place).touch()
    else:
        place.write_bytes(contents[how])
    with serving(body) as server:
        url = server.url if reachable else "http://127.0.0.1:1"
        trial.outcome = machine.load(url, loader.IMPATIENT)
    if how == "folder":
        place.rmdir()
    elif reachable and trial.outcome != "right":
        trial.wrong.append("it was not downloaded again")


LOCAL = {
    "kill at a byte": kill,
    "kill at a moment": kill_anywhere,
    "full disk": full_disk,
    "eight at once": eight_at_once,
    "damaged cache": damage,
}
KINDS = (*network_faults(random.Random(0), 1_000), *LOCAL)


def repair(machine: Machine, trial: Trial) -> None:
    """A later try, from a server that is well: it has to be right."""
    with serving(machine.body) as server:
        outcome = machine.load(server.url, PATIENT)
    if outcome != "right":
        trial.wrong.append(f"a later try does not repair it: {outcome}")
    trial.wrong += machine.complaints(after_repair=True)


def run_one(number: int, kind: str, seed: int, body: bytes, fault: Fault | None = None) -> Trial:
    """One trial; the same seed and number give the same fault, where none is given."""
    rng = random.Random(f"{seed} {number} {kind}")
    trial = Trial(number, kind, kind)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        machine = Machine(Path(folder), body)
        if kind in LOCAL:
            LOCAL[kind](machine, rng, trial)
        else:
            break_network(machine, fault or network_faults(rng, len(body))[kind](), trial)
        if kind != "damaged cache":
            trial.wrong += machine.complaints(after_repair=False)
        repair(machine, trial)
    if not trial.outcome.startswith(("right", "error: ", "killed", "8 right")):
        trial.wrong.append("neither right nor one sentence")
    return trial


def run(count: int, seed: int) -> Iterator[Trial]:
    """Trials of all kinds in turn."""
    body = WEIGHTS.read_bytes()
    for number in range(count):
        yield run_one(number, KINDS[number % len(KINDS)], seed, body)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # of each retry
    began, outcomes, bad = time.monotonic(), Counter(), 0
    for trial in run(options.count, options.seed):
        print(f"{trial.number:3} {trial.kind}: {trial.fault}\n      {trial.outcome}", flush=True)
        for complaint in trial.wrong:
            print(f"      WRONG: {complaint}", flush=True)
        outcomes[trial.kind, trial.outcome.partition(":")[0]] += 1
        bad += bool(trial.wrong)
    print()
    for (kind, outcome), number in sorted(outcomes.items()):
        print(f"{kind:20} {outcome:10} {number}")
    took = f"{time.monotonic() - began:.0f} s"
    print(f"\n{options.count} faults, seed {options.seed}: {bad} not as they should be; {took}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
