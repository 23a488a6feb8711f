"""What an entry claims of a calibration, and whether it is so."""

from collections.abc import Iterator, Mapping
from typing import Any

from scipy.stats import binom

from keras_fm import store
from keras_fm.calibration.calibration import load_calibration
from keras_fm.data import datasets
from keras_fm.evaluation.out_of_distribution import NOISE
from keras_fm.registry import ModelPackage
from keras_fm.registry.entry import CalibrationClaims
from keras_fm.registry.metrics import CALIBRATION_METRICS

CHANCE = 1e-4  # of which a right calibration covers less

# The name, what is claimed, what was measured, whether they agree.
Claim = tuple[str, str, str, bool]


def evaluate_options(claims: CalibrationClaims | None) -> dict[str, Any]:
    """Return the options of `evaluate` that measure the claims; none where there are none."""
    if claims is None:
        return {}
    missing = missing_data(claims)
    others = [name for name in claims.auroc if name not in missing]
    return {"calibration": True, "out_of_distribution": others or None}


def missing_data(claims: CalibrationClaims | None) -> list[str]:
    """Return the other data of the claims that are not on this machine."""
    names = claims.auroc if claims is not None else ()
    return [name for name in names if name != NOISE and not datasets.is_prepared(name)]


def check_file(package: ModelPackage, claims: CalibrationClaims | None) -> Iterator[Claim]:
    """Yield whether the calibration's file is the one that the entry names."""
    if claims is not None:
        actual = store.sha256_of(package.path / claims.file)
        yield "calibration sha256", claims.sha256[:16], actual[:16], actual == claims.sha256


def check_claims(
    package: ModelPackage, claims: CalibrationClaims | None, metrics: Mapping[str, Any]
) -> Iterator[Claim]:
    """Yield each claim beside what `evaluate` measured, and whether the sets keep their promise.

    A calibration by n examples covers another share than its coverage, by chance: what m new ones
    are covered is a beta-binomial draw. The bound is that of a binomial one with the smaller count.

    Args:
        package: Of the model.
        claims: Of its calibration; None for none.
        metrics: What `evaluate` returned.
    """
    if claims is None:
        return
    values = metrics["calibration"]
    for name, claimed in claims.metrics.items():
        yield _compare(name, CALIBRATION_METRICS[name].title, claimed, values[name], metrics)
    for name, result in metrics.get("out_of_distribution", {}).items():
        title = f"AUROC against {name}"
        yield _compare("auroc", title, claims.auroc[name], result["auroc"], metrics)
    calibration = load_calibration(package.path / claims.file)
    count = min(calibration.num_examples, metrics["num_examples"])
    bound = float(binom.ppf(CHANCE, count, calibration.coverage)) / count
    coverage = values["set_coverage"]
    promised = f"{calibration.coverage:.2%} (> {bound:.1%})"
    yield "coverage that was chosen", promised, f"{coverage:.2%}", coverage >= bound


def _compare(
    name: str, title: str, claimed: float, measured: float, metrics: Mapping[str, Any]
) -> Claim:
    metric = CALIBRATION_METRICS[name]
    agrees = metric.agrees(claimed, measured, metrics["num_examples"])
    return title, metric.format(claimed), metric.format(measured), agrees
