"""Injects faults of all kinds into downloads, from a seed, and prints the outcome of each.

    python tests/faults/harness.py --count 200 --seed 0

A trial is a load under a fault, then one without. The first has to end with the right arrays or
with an error message (a `KerasFmError`), the second with the right arrays; a file that has its
final name is complete at any time, and nothing else stays in the cache.
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
from machine import Machine, limited_memory

from keras_fm.store import cache, downloads

WEIGHTS = helpers.ROOT / "zoo/linear_regression/weights/linear_regression.v1.weights.h5"
LONG_TIMEOUTS = {"READ_TIMEOUT": 20.0, "GRACE_SECONDS": 60.0, "BACKOFF_SECONDS": 0.01}
MAX_MEGABYTES = 30


@dataclass
class Trial:
    """One fault and its outcome; `errors` has what should not have happened."""

    number: int
    kind: str
    fault: str
    outcome: str = ""
    errors: list[str] = field(default_factory=list)


# Faults of the network.


def network_faults(rng: random.Random, size: int) -> dict[str, Callable[[], Fault]]:
    """A random fault of each kind."""

    def at() -> int:
        return rng.choice([0, 1, size // 2, size - 1, rng.randrange(size)])

    def times() -> int:
        return rng.choice([1, 2, downloads.MAX_ATTEMPTS - 1, 1_000])

    def simple(kind: str) -> Callable[[], Fault]:
        return lambda: Fault(kind, at(), times())

    def one_of(kind: str, *variants: object) -> Callable[[], Fault]:
        return lambda: Fault(kind, at(), times(), rng.choice(variants))

    waits = (None, 0, 1, "0.5", "soon", -3, 10**9, 10**400, "Wed, 21 Oct 2015 07:28:00 GMT")
    codes = (503, 503, 429, 429, 500, 502, 504, 403, 404, 410, 206, 204, 304, 100)
    return {
        "cut": simple("cut"),
        "reset": simple("reset"),
        "flip": one_of("flip", *range(8)),
        "another file": simple("other"),
        "sign-in page": simple("page"),
        "empty": simple("empty"),
        "503 and 429": one_of("status", *((code, wait) for code in codes[:4] for wait in waits)),
        "other status": one_of("status", *((code, None) for code in codes[4:])),
        "silence": simple("silence"),
        "stall": simple("stall"),
        "drip": simple("drip"),
        "redirect": one_of(
            "redirect", "chain", "loop", "endless body", "file:///etc/passwd", "ftp://127.0.0.1/",
            "http://127.0.0.1:1/", "http://[", "//", "\x00",
        ),
        "longer": one_of("longer", "announced", "unannounced"),
        "shorter": simple("shorter"),
        "length": one_of("length", "", "banana", -5, "1e3", f"{size}, {size + 1}", "9" * 5000),
        "endless": simple("endless"),
        "gzip": one_of("gzip", "valid", "cut", "lie", "bomb"),
        "chunked": one_of("chunked", "valid", "no end", "no number", "too many"),
        "no HTTP": simple("no_http"),
        "headers": simple("headers"),
    }  # fmt: skip


# Faults that another attempt overcomes; of the other kinds, some do and some don't.
TEMPORARY = {"cut", "reset", "flip", "another file", "sign-in page", "empty", "shorter"}


def break_network(machine: Machine, fault: Fault, trial: Trial) -> None:
    """A load from a server with one of the faults above."""
    trial.fault = f"{fault.kind} at {fault.at:,}, {fault.times} times, {fault.variant!r:.40}"
    with serving(machine.body, fault) as server, limited_memory() as megabytes:
        trial.outcome = machine.load(server.url, loader.SHORT_TIMEOUTS)
    if megabytes() > MAX_MEGABYTES:
        trial.errors.append(f"it took {megabytes():.0f} MB of memory")
    if "File too large" in trial.outcome:
        trial.errors.append("it took 50 MB of the disk")
    is_temporary = trial.kind in TEMPORARY and fault.times < downloads.MAX_ATTEMPTS
    if (is_temporary or fault.variant in ("valid", "chain")) and trial.outcome != "right":
        trial.errors.append("another attempt could have overcome it")


# Faults of the process and its disk.


def kill(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """SIGKILL when the server has sent so many bytes; another process may be waiting then."""
    at, is_awaited = rng.randrange(len(machine.body)), rng.random() < 0.5
    trial.fault = f"SIGKILL at byte {at:,}{', another waits' * is_awaited}"
    with serving(machine.body, Fault("stall", at, times=1)) as server:
        victim = machine.start(server.url, LONG_TIMEOUTS)
        assert server.reached.wait(60)
        other = machine.start(server.url, LONG_TIMEOUTS) if is_awaited else None
        time.sleep(rng.choice([0, 0, 0.01, 0.3]))
        victim.kill()
        victim.communicate()
        trial.errors += machine.cache_errors(after_repair=False)
        trial.outcome = machine.end(other) if other else "killed"


def kill_anywhere(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """SIGKILL at a random moment."""
    seconds = rng.uniform(0.1, 1.0)
    trial.fault = f"SIGKILL after {seconds:.2f} s"
    with serving(machine.body) as server:
        victim = machine.start(server.url, LONG_TIMEOUTS)
        time.sleep(seconds)
        victim.kill()
        victim.communicate()
        trial.outcome = "killed"


def full_disk(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """A file system with too little space (ENOSPC), or a limit of the file size (EFBIG)."""
    at = rng.randrange(len(machine.body))
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(machine.body))
        is_disk = rng.random() < 0.5 and stack.enter_context(small_disk(machine.home, at))
        trial.fault = f"{'a disk' if is_disk else 'a file size limit'} of {at:,} bytes"
        limits = {} if is_disk else {"FILE_SIZE": at or 1}
        trial.outcome = machine.end(machine.start(server.url, LONG_TIMEOUTS | limits))
        if "can't be stored" not in trial.outcome:
            trial.errors.append("the error message doesn't say that it can't be stored")
        if is_disk:
            enlarge(machine.home)
            repair(machine, trial)
    if not machine.home.exists():
        machine.home.mkdir()


@contextlib.contextmanager
def small_disk(path: Path, size: int) -> Iterator[bool]:
    """A file system in memory at `path`, in pages; False where this machine forbids it."""
    path.mkdir()
    option = f"size={max(size // 4096, 1) * 4096}"
    mount = ["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(path)]
    mounted = shutil.which("mount") and not subprocess.run(mount, capture_output=True).returncode
    try:
        yield bool(mounted)
    finally:
        if mounted:
            subprocess.run(["umount", str(path)], check=True)


def enlarge(path: Path) -> None:
    """Adds space to a `small_disk`."""
    subprocess.run(["mount", "-o", "remount,size=10m", str(path)], check=True)


def eight_at_once(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """Eight processes want the same file; one of them downloads it."""
    faults = [Fault(), Fault("cut", 5_000, 1), Fault("flip", 7, 1), Fault("status", 0, 2, (503, 0))]
    fault = rng.choice(faults)
    trial.fault = f"eight processes, {fault.kind}"
    with serving(machine.body, fault) as server:
        processes = [machine.start(server.url, LONG_TIMEOUTS) for _ in range(8)]
        outcomes = Counter(machine.end(process) for process in processes)
    trial.outcome = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
    if outcomes != {"right": 8}:
        trial.errors.append("not all of them are right")
    if server.complete != 1:
        trial.errors.append(f"the file was sent {server.complete} times")


def damage(machine: Machine, rng: random.Random, trial: Trial) -> None:
    """A file in the cache that was cut, altered or replaced, with or without a server."""
    body, file = machine.body, machine.file
    variant = rng.choice(
        ["cut", "flip", "empty", "zeros", "page", "draft", "folder", "dangling link"]
    )
    at = rng.randrange(len(body))
    is_reachable = rng.random() < 0.6
    trial.fault = f"cached file: {variant} at {at:,}, {'a' if is_reachable else 'no'} server"
    file.parent.mkdir(parents=True)
    contents = {
        "cut": body[:at],
        "flip": body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :],
        "empty": b"",
        "zeros": bytes(len(body)),
        "page": b"<html>",
    }
    if variant == "folder":
        file.mkdir()
    elif variant == "dangling link":
        file.symlink_to("nowhere")
    elif variant == "draft":
        cache.partial_path(file).write_bytes(body[:at])
        cache.lock_path(file).touch()
    else:
        file.write_bytes(contents[variant])
    with serving(body) as server:
        url = server.url if is_reachable else "http://127.0.0.1:1"
        trial.outcome = machine.load(url, loader.SHORT_TIMEOUTS)
    if variant == "folder":
        file.rmdir()
    elif is_reachable and trial.outcome != "right":
        trial.errors.append("it was not downloaded again")


LOCAL = {
    "kill at a byte": kill,
    "kill at a moment": kill_anywhere,
    "full disk": full_disk,
    "eight at once": eight_at_once,
    "damaged cache": damage,
}
KINDS = (*network_faults(random.Random(0), 1_000), *LOCAL)


def repair(machine: Machine, trial: Trial) -> None:
    """A later load, from a server without faults, which has to be right."""
    with serving(machine.body) as server:
        outcome = machine.load(server.url, LONG_TIMEOUTS)
    if outcome != "right":
        trial.errors.append(f"a later load does not repair it: {outcome}")
    trial.errors += machine.cache_errors(after_repair=True)


def run_one(number: int, kind: str, seed: int, body: bytes, fault: Fault | None = None) -> Trial:
    """One trial; without `fault`, it is decided by seed and number."""
    rng = random.Random(f"{seed} {number} {kind}")
    trial = Trial(number, kind, kind)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        machine = Machine(Path(folder), body)
        if kind in LOCAL:
            LOCAL[kind](machine, rng, trial)
        else:
            break_network(machine, fault or network_faults(rng, len(body))[kind](), trial)
        if kind != "damaged cache":
            trial.errors += machine.cache_errors(after_repair=False)
        repair(machine, trial)
    if not trial.outcome.startswith(("right", "error: ", "killed", "8 right")):
        trial.errors.append("neither right nor an error message")
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
    start, outcomes, num_failed = time.monotonic(), Counter(), 0
    for trial in run(options.count, options.seed):
        print(f"{trial.number:3} {trial.kind}: {trial.fault}\n      {trial.outcome}", flush=True)
        for error in trial.errors:
            print(f"      WRONG: {error}", flush=True)
        outcomes[trial.kind, trial.outcome.partition(":")[0]] += 1
        num_failed += bool(trial.errors)
    print()
    for (kind, outcome), number in sorted(outcomes.items()):
        print(f"{kind:20} {outcome:10} {number}")
    took = f"{time.monotonic() - start:.0f} s"
    print(f"\n{options.count} faults, seed {options.seed}: {num_failed} trials failed; {took}")
    return 1 if num_failed else 0


if __name__ == "__main__":
    sys.exit(main())
