"""The task of classifying rows."""

from keras_fm.data.examples import Examples
from keras_fm.tasks.base import Task
from keras_fm.tasks.classification import (
    ClassificationData,
    ClassificationPredictor,
    ClassificationSummaries,
)
from keras_fm.tasks.tabular import TabularData, TabularPredictor
from keras_fm.tasks.tabular_classification.objective import RowObjective
from keras_fm.tasks.tabular_classification.recipe import TabularClassificationRecipe
from keras_fm.tasks.tabular_classification.serve import RowServing


class RowData(TabularData, ClassificationData):
    """Rows and their classes."""

    def validate_targets(self, examples: Examples) -> None:
        """Raise a `DataError` where a target is not the index of a label."""
        self.validate_labels(examples)


class RowPredictor(TabularPredictor, ClassificationPredictor):
    """Classes of rows."""


class TabularClassification(Task):
    """Classifies the rows of a table."""

    recipe_class = TabularClassificationRecipe
    unit = "rows"
    data_class = RowData
    predictor_class = RowPredictor
    objective_class = RowObjective
    serving_class = RowServing
    summaries_class = ClassificationSummaries


TASK = TabularClassification
