"""The task of regression on rows."""

from keras_fm.tasks.base import Task
from keras_fm.tasks.tabular_regression.data import RegressionData
from keras_fm.tasks.tabular_regression.objective import RegressionObjective
from keras_fm.tasks.tabular_regression.predict import RegressionPredictor
from keras_fm.tasks.tabular_regression.recipe import TabularRegressionRecipe
from keras_fm.tasks.tabular_regression.serve import RegressionServing
from keras_fm.tasks.tabular_regression.summaries import RegressionSummaries


class TabularRegression(Task):
    """Predicts a value for each row of a table."""

    recipe_class = TabularRegressionRecipe
    unit = "rows"
    data_class = RegressionData
    predictor_class = RegressionPredictor
    objective_class = RegressionObjective
    serving_class = RegressionServing
    summaries_class = RegressionSummaries


TASK = TabularRegression
