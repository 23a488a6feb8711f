"""What TensorBoard shows of a regression."""

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.tasks import plots
from keras_fm.tasks.base import Images, Summaries


class RegressionSummaries(Summaries):
    """Predictions beside targets."""

    def result_images(self, outputs: np.ndarray, examples: Examples) -> Images:
        """Return the density of predictions over targets."""
        scatter = plots.plot_predictions(examples.targets, outputs, log=self.data.log)
        return {"predictions": scatter}
