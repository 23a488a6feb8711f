"""The weights that were ever committed to a repository: what a user may have kept."""

import hashlib
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILES = ":(glob)**/weights/*.weights.h5"
ENTRIES = ":(glob)**/entry.toml"
# Metrics that were renamed since a file was released, old to new.
FORMER_METRICS = {
    "accuracy_mirror": "accuracy_tta",
    "accuracy_on_real": "classification_accuracy_score",
    "judge_accuracy": "evaluator_accuracy",
    "feature_distance": "frechet_distance",
    "diversity": "min_class_variance_ratio",
}


@dataclass(frozen=True)
class Released:
    """One file as it was committed.

    record: its table in an entry; None where no entry ever had one.
    """

    repository: Path
    blob: str
    path: str
    sha256: str
    record: dict[str, Any] | None

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return git(self.repository, "cat-file", "blob", self.blob)

    @property
    def sample_metrics(self) -> dict[str, float]:
        """The claimed metrics on the bundled sample, by their names of today."""
        former = self.record.get("sample", {})  # the field's former name
        claims = self.record.get("sample_metrics", former)
        return {FORMER_METRICS.get(name, name): value for name, value in claims.items()}

    @property
    def model(self) -> str:
        """The name of the model."""
        return Path(self.path).parts[-3]


def git(repository: Path, *arguments: str) -> bytes:
    """Return the output of git."""
    return subprocess.run(
        ["git", "-C", str(repository), *arguments], check=True, capture_output=True
    ).stdout


def has_history(repository: Path) -> bool:
    """Return whether it is a repository that this user may read."""
    try:
        git(repository, "rev-parse", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def released(repository: Path) -> list[Released]:
    """Return every weights file of every commit, once."""
    records = {
        record.get("sha256"): record
        for blob in _versions(repository, ENTRIES)
        for record in _records_in(git(repository, "cat-file", "blob", blob))
    }
    released_files = {}
    for blob, path in _versions(repository, FILES).items():
        sha256 = hashlib.sha256(git(repository, "cat-file", "blob", blob)).hexdigest()
        released_files[sha256] = Released(repository, blob, path, sha256, records.get(sha256))
    return list(released_files.values())


def _records_in(entry: bytes) -> list[dict[str, Any]]:
    return list(tomllib.loads(entry.decode()).get("weights", {}).values())


def _versions(repository: Path, pattern: str) -> dict[str, str]:
    """Return the path of each version of the files by its hash in git, from the oldest."""
    log = git(
        repository, "log", "--reverse", "--raw", "--no-abbrev", "--no-renames", "-m", "--format=",
        "--diff-filter=d", "--", pattern,
    ).decode()  # fmt: skip
    blobs = {}
    for line in log.splitlines():
        raw, path = line.split("\t")
        blobs[raw.split()[3]] = path
    return blobs
