"""What an entry claims of slices of its test split, and whether it is so."""

from collections.abc import Iterator, Mapping
from typing import Any

from keras_fm.evaluation.calibration_claims import Claim
from keras_fm.registry.metrics import SLICE_ACCURACY


def slices_to_claim(metrics: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the claims from what `evaluate(..., slice_by=)` returned of a classifier."""
    return {
        slice_by: {name: result["accuracy"] for name, result in slices.items()}
        for slice_by, slices in metrics["slices"].items()
    }


def check_slices(
    claims: Mapping[str, Mapping[str, float]], metrics: Mapping[str, Any]
) -> Iterator[Claim]:
    """Yield each claim beside what `evaluate` measured.

    Args:
        claims: By what the split is sliced by, and by the slice's name.
        metrics: What `evaluate` returned.
    """
    for slice_by, slices in claims.items():
        measured = metrics["slices"][slice_by]
        for name, claimed in slices.items():
            title, text = f"accuracy of {slice_by} {name}", SLICE_ACCURACY.format(claimed)
            if name not in measured:
                yield title, text, "no such slice", False
                continue
            accuracy, count = measured[name]["accuracy"], measured[name]["num_examples"]
            agrees = SLICE_ACCURACY.agrees(claimed, accuracy, count)
            yield title, text, SLICE_ACCURACY.format(accuracy), agrees
