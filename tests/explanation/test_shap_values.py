import importlib.util

import numpy as np
import pytest
from test_integrated_gradients import ROW, table_model

from keras_fm.data import datasets
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.explanation import arguments, explanation, shap_values
from keras_fm.models import loading
from keras_fm.tasks.base import task_of


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = r"method='shap' needs the package shap: pip install 'keras_fm\[shap\]'"
    with pytest.raises(InvalidInputError, match=message):
        explanation.explain("mlp", ROW, method="shap")
    arguments.check_explain("mlp", method="occlusion")


def test_few_rows_of_many_are_the_background():
    many = {"a": np.arange(1000.0), "b": np.arange(1000)}
    drawn = shap_values.draw_background(many)
    assert len(drawn["a"]) == len(set(drawn["a"])) == shap_values.MAX_BACKGROUND
    np.testing.assert_array_equal(drawn["a"], drawn["b"])
    few = {"a": np.arange(3.0)}
    assert shap_values.draw_background(few) is few


@pytest.mark.parametrize("num_classes", [0, 2, 3])
def test_values_sum_to_the_prediction_minus_the_expected_value(num_classes):
    pytest.importorskip("shap")
    model, rows = table_model("linear_regression", num_classes=num_classes)
    predictor = task_of(model).predictor
    result = explanation.explain(model, rows[:3], method="shap", data=rows[10:30])
    background = predictor.predict(model, predictor.preprocess(model, rows[10:30]))
    for index, of_row in enumerate(result.attributions):
        row = rows[index : index + 1]
        output = predictor.predict(model, predictor.preprocess(model, row))
        [score] = predictor.target_scores(output, output[0])
        expected = predictor.target_scores(background, output[0]).mean()
        assert of_row.base_score == pytest.approx(expected, rel=1e-4, abs=1e-4)
        assert of_row.scores.sum() == pytest.approx(score - expected, rel=1e-3, abs=1e-3)
        assert of_row.residual == pytest.approx(0, abs=1e-3 * (1 + abs(float(score))))
        names = [feature.split()[0] for feature in of_row.features]
        assert sorted(names) == ["kind", "logits", "on", "price", "size"], "dates are one column"
        assert np.abs(of_row.scores).max() > 0


def test_the_background_of_a_pretrained_model_is_the_bundled_sample():
    pytest.importorskip("shap")
    [of_row] = explanation.explain("linear_regression", ROW, method="shap").attributions
    sample = datasets.sample("diamonds")
    model = loading.get("linear_regression")
    values = task_of(model).predictor.predict_examples(model, sample)
    assert of_row.base_score == pytest.approx(values.mean(), rel=0.3)
    assert of_row.scores.sum() == pytest.approx(of_row.score - of_row.base_score, rel=1e-4)


def test_a_model_of_other_data_needs_a_background():
    pytest.importorskip("shap")
    model, rows = table_model("linear_regression")
    with pytest.raises(DataError, match=r"or other data \(data="):
        explanation.explain(model, rows[:1], method="shap")
