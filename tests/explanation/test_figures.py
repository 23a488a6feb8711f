import json

import helpers
import keras
import numpy as np
import pytest
from PIL import Image

from keras_fm import cli, registry
from keras_fm.data import datasets
from keras_fm.explanation import attribution, explanation, figures
from keras_fm.models import building
from keras_fm.models.spec import ModelSpec

PREDICTION = {"label": "cat", "probabilities": {"cat": 0.75, "dog": 0.25}}


def photo(rows, columns):
    small = Image.fromarray(datasets.sample("cifar10").inputs[0])
    return np.asarray(small.resize((columns, rows), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("size", helpers.first([((300, 500),), ((401, 290),)], 1))
@pytest.mark.parametrize("method", ["occlusion", "integrated_gradients"])
def test_a_photo_keeps_its_size(size, method, small_run, tmp_path):
    image = photo(*size)
    result = explanation.explain(small_run.model, image, method=method)
    picture = np.asarray(Image.open(result.save(tmp_path / "why.png")))
    rows, columns = size
    assert picture.shape[1] == 2 * columns + 8
    np.testing.assert_array_equal(picture[24 : 24 + rows, :columns], image)
    overlaid = picture[24 : 24 + rows, -columns:].astype(int)
    is_tinted = np.ptp(overlaid, axis=-1) > 2
    margin = abs(rows - columns) // 2 - 1  # what the model does not see, on each side
    outside = is_tinted[:margin] if rows > columns else is_tinted[:, :margin]
    assert not outside.any()
    assert is_tinted.any()


def test_a_heatmap_lies_where_the_model_saw_it():
    scores = np.zeros((4, 4))
    scores[0, 3] = 1
    image = np.full((4, 4, 3), 100, "uint8")
    of_image = attribution.Attribution(PREDICTION, scores, image=image, photo=_photo((40, 80)))
    overlaid = figures.draw_images([of_image], "grad_cam")[24 : 24 + 40 * 3, -80 * 3 :]
    is_red = overlaid[..., 0].astype(int) - overlaid[..., 2] > 100
    rows, columns = np.nonzero(is_red)
    # The upper right corner of the square in the middle.
    assert 0 <= rows.mean() / 3 < 10
    assert 50 <= columns.mean() / 3 < 60


def _photo(size):
    from keras_fm.preprocessing.images.loading import Photo

    return Photo(size, np.full((*size, 3), 100, "uint8"), "image 0")


def test_a_legend_has_the_range_and_a_title_the_method():
    image = np.full((32, 32, 3), 100, "uint8")
    both, positive = (
        figures.draw_images([attribution.Attribution(PREDICTION, scores, image=image)], "occlusion")
        for scores in (np.linspace(-1, 1, 1024).reshape(32, 32), np.ones((32, 32)))
    )
    legend = slice(24 + 256 + 4, 24 + 256 + 16)
    first, last = both[legend][6, -256], both[legend][6, -1]
    assert first[2] > first[0], "blue: against"
    assert last[0] > last[2], "red: for"
    assert positive[legend][6, -256].tolist() == [255, 255, 255], "from 0 on"
    assert (both[:24] < 128).any()
    longer = attribution.Attribution(
        {"label": "c" * 300, "probabilities": {"c" * 300: 1.0}}, np.ones((32, 32)), image=image
    )
    assert figures.draw_images([longer], "occlusion").shape == both.shape


def test_a_notebook_shows_a_large_photo_smaller(small_run):
    result = explanation.explain(small_run.model, photo(1500, 1000), method="grad_cam")
    assert figures.draw_images(result.attributions, "grad_cam", 480).shape[1] == 2 * 320 + 8
    assert "explanation by grad_cam" in result._repr_html_()


def test_the_command_writes_pages_and_json(small_run, tmp_path):
    file = tmp_path / "photo.png"
    Image.fromarray(photo(64, 80)).save(file)
    for name in ("why.html", "why.json"):
        arguments = ["explain", str(small_run.path), str(file), "--out", str(tmp_path / name)]
        assert cli.main([*arguments, "--method", "integrated_gradients"]) == 0
    assert "data:image/png;base64," in (tmp_path / "why.html").read_text("utf-8")
    written = json.loads((tmp_path / "why.json").read_text("utf-8"))
    [of_image] = written["attributions"]
    assert written["method"] == "integrated_gradients"
    assert np.shape(of_image["scores"]) == (32, 32)
    assert of_image["image_size"] == [64, 80]
    difference = of_image["score"] - of_image["base_score"]
    assert np.sum(of_image["scores"]) == pytest.approx(difference, rel=0.05)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="attention of a TensorFlow run")
def test_maps_of_attention_name_block_and_head(tmp_path):
    model = building.build(ModelSpec.of(registry.find("mini_bert")[0]), depth=2, width=32, heads=4)
    result = explanation.explain(model, "A dull film", method="attention")
    for html in (result._repr_html_(), result.save(tmp_path / "why.html").read_text("utf-8")):
        for number in range(1, 5):
            assert f">head {number}</th>" in html
        for number in (1, 2):
            assert f">block {number}</td>" in html
            assert f'alt="block {number}, head 4"' in html
        assert "; attention</h2>" in html
    written = json.loads(result.save(tmp_path / "why.json").read_text("utf-8"))
    assert np.shape(written["attributions"][0]["attention"])[:2] == (2, 4)


@pytest.mark.parametrize("method", ["occlusion", "integrated_gradients"])
def test_a_page_of_a_row_has_the_method_and_a_legend(method):
    sample = datasets.sample("diamonds")
    row = {name: cells[:1] for name, cells in sample.inputs.items()}
    html = explanation.explain("linear_regression", row, method=method)._repr_html_()
    assert f"; {method}</h2>" in html
    assert ">against</span> down to -" in html
    assert ">for</span> up to +" in html
    assert ("; all " in html) == (method == "integrated_gradients")


def test_the_entry_says_whether_a_text_model_has_attention():
    for name in registry.list_models(task="text-classification"):
        entry = registry.find(name)[0].entry
        model = building.build(ModelSpec.of(registry.find(name)[0]))
        layers = [x for x in model.layers if isinstance(x, keras.layers.MultiHeadAttention)]
        assert entry.has_attention is bool(layers), name
