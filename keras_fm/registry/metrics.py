"""The metrics that an entry can claim: their names, how they are written, how near is the same."""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Metric:
    """How one metric is shown and compared.

    title: in tables. form: format specification of a value. tolerance: how much other hardware may
    differ. share: it is the share of right answers, of which one may lie on the edge.
    highest: no value is above it. listed: the table of all models shows it.
    """

    title: str
    form: str
    tolerance: float
    share: bool = False
    highest: float = math.inf
    listed: bool = True

    @property
    def heading(self) -> str:
        """The title at the start of a line."""
        return self.title[0].upper() + self.title[1:]

    def write(self, value: float) -> str:
        """The value as tables show it."""
        return f"{value:{self.form}}"

    def same(self, claimed: float, measured: float, examples: int) -> bool:
        """Whether a measurement on so many examples confirms the claim."""
        one_answer = 1.01 / examples if self.share else 0.0
        return abs(claimed - measured) <= max(self.tolerance, one_answer)


def _share(title: str) -> Metric:
    # Five answers of 10,000, and half of the claim's last digit, which is rounded.
    return Metric(title, ".2%", tolerance=0.00055, share=True, highest=1.0)


METRICS = {
    "accuracy": _share("accuracy"),
    "auc": Metric("area under the ROC curve", ".4f", tolerance=0.0005, highest=1.0),
    "accuracy_mirror": _share("accuracy, mirror"),  # averaged with the mirror image's logits
    # A classifier is trained for it, on other hardware or in other precision another one.
    "accuracy_on_real": replace(_share("accuracy on real images"), tolerance=0.01),
    "judge_accuracy": replace(_share("labels that the judge sees"), listed=False),
    "feature_distance": Metric("distance of features", ".4f", tolerance=0.0005),
    "feature_distance_floor": Metric("distance of real images", ".4f", tolerance=0.0005),
    # Of anchors alone: it wants an Inception network, and nothing here measures it.
    "fid": Metric("FID", ".1f", tolerance=0.05),
    "diversity": Metric("diversity of the poorest class", ".3f", tolerance=0.002, listed=False),
    "masked_accuracy": _share("accuracy on hidden pieces"),
    "perplexity": Metric("perplexity", ".3f", tolerance=0.01),
    "bits_per_character": Metric("bits per character", ".3f", tolerance=0.0005),
    "rmse_log": Metric("RMSE of the log", ".4f", tolerance=0.0001),
    "rmse": Metric("RMSE", ",.2f", tolerance=0.05, listed=False),
    "mae": Metric("mean absolute error", ",.2f", tolerance=0.05, listed=False),
    "r2": Metric("R squared", ".4f", tolerance=0.0001, highest=1.0, listed=False),
}
