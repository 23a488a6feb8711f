"""What terminals and notebooks show of the objects that the public functions return."""

import base64
import copy
import io
import json
import pickle
import re
import sys
from html.parser import HTMLParser

import helpers
import numpy as np
import pytest
from PIL import Image

from keras_fm import notebook, pipelines, registry
from keras_fm.cli.printing import print_table
from keras_fm.data import datasets
from keras_fm.data.examples import Examples, character_examples
from keras_fm.evaluation.verification import ClaimCheck, ClaimReport
from keras_fm.explanation.attribution import Attribution
from keras_fm.explanation.explanation import Explanation
from keras_fm.formatting import format_table
from keras_fm.serving.predictions import PredictionList

EVIL = "<script>alert('1')</script>"
CLASSES = {"cat": 0.7, EVIL: 0.2, "dog": 0.06, "frog": 0.04}


def evil_run(run):
    return type(run)(
        run.path / EVIL, run.model, {EVIL: 0.5}, {EVIL: 0.1}, 2.0, {f"probe {EVIL}": {EVIL: 0.3}}
    )


def prediction_lists():
    classes = [{"label": "cat", "probabilities": CLASSES}] * 1000
    return {
        "classes": PredictionList(classes, [f"{EVIL}.jpg"] * 1000),
        "ranking": PredictionList([[{"label": k, "score": v} for k, v in CLASSES.items()]]),
        "values": PredictionList([{"value": 1234.5678}] * 3),
        "images": PredictionList(
            [{"label": EVIL, "seed": 3, "image": np.zeros((28, 28, 1), "uint8")}]
        ),
        "texts": PredictionList([{"text": f"To be\n{EVIL}" * 100}]),
        "masks": PredictionList([{"masks": [CLASSES, CLASSES]}]),
        "none": PredictionList(),
    }


def examples():
    targets = np.arange(30)
    images = np.arange(30 * 32 * 32 * 3).reshape(30, 32, 32, 3).astype("uint8")
    return {
        "images": Examples(images, targets, EVIL),
        "gray": Examples(images[..., :1], targets, "gray"),
        "floats": Examples(images / 255, targets, "floats"),
        "texts": Examples([f"{EVIL} {row}".encode() for row in range(30)], targets, "texts"),
        "rows": Examples({EVIL: targets, "kind": np.array([EVIL] * 30)}, targets / 7, "rows"),
        "characters": character_examples(f"To be {EVIL}" * 100, "characters"),
        "few": Examples(["a", "b"], [0, 1], "few"),
    }


def explanations():
    prediction = {"label": "cat", "probabilities": CLASSES}
    words = Attribution(prediction, np.array([1.0, -2.0], "float32"), ("good", EVIL))
    image = Attribution(prediction, np.eye(32), image=np.zeros((32, 32, 3), "uint8"))
    value = Attribution({"value": 7.0}, np.array([1.0]), (f"size {EVIL}",))
    weights = np.full((2, 2, 2, 2), 0.5)
    attended = Attribution(prediction, words.scores, words.features, attention=weights)
    return {
        "words": Explanation("occlusion", [words] * 30),
        "image": Explanation("grad_cam", [image] * 30),
        "value": Explanation("occlusion", [value]),
        "attention": Explanation("attention", [attended]),
    }


OBJECTS = {
    **{f"predictions: {name}": value for name, value in prediction_lists().items()},
    **{f"examples: {name}": value for name, value in examples().items()},
    **{f"explanation: {name}": value for name, value in explanations().items()},
    **{f"info: {name}": registry.info(name) for name in registry.list_models()},
    **{
        f"sample: {name}": datasets.sample(name)
        for name in ("cifar10", "imdb_reviews", "diamonds", "tiny_shakespeare")
    },
}


@pytest.fixture(params=[*OBJECTS, "run", "evil run", "pipeline", "claims"])
def shown(request, small_run):
    """Each object that has a `repr` of its own."""
    more = {
        "run": small_run,
        "evil run": evil_run(small_run),
        "pipeline": pipelines.pipeline(small_run.model),
        "claims": ClaimReport(EVIL, EVIL, (ClaimCheck(EVIL, EVIL, EVIL, passed=False),) * 3),
    }
    return (OBJECTS | more)[request.param]


class Checker(HTMLParser):
    """Counts the open tags of a page, and decodes its pictures."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.pictures = [], set(), []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "img":
            kind, _, data = dict(attributes)["src"].partition(",")
            assert kind == "data:image/png;base64"
            self.pictures.append(Image.open(io.BytesIO(base64.b64decode(data))))
        elif tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_repr_has_a_few_lines(shown):
    lines = repr(shown).splitlines()
    assert 1 <= len(lines) <= 13
    assert max(map(len, lines)) < 300


def test_html_is_whole_small_and_escaped(shown):
    page = shown._repr_html_()
    checker = Checker(page)
    assert checker.open == []
    assert "script" not in checker.tags
    assert EVIL not in page
    assert len(page) < 100_000


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("predictions: images", 1),
        ("examples: images", 10),
        ("examples: gray", 10),
        ("examples: texts", 0),
        ("explanation: image", 1),
        ("explanation: attention", 4),
        ("sample: cifar10", 10),
    ],
)
def test_pictures_are_inline(name, count):
    assert len(Checker(OBJECTS[name]._repr_html_()).pictures) == count


def test_words_are_tinted():
    page = OBJECTS["explanation: words"]._repr_html_()
    assert '<span style="background:rgba(220,60,40,0.40)" title="+1.00">good</span>' in page
    assert f'rgba(50,90,220,0.80)" title="-2.00">{notebook.escape(EVIL)}</span>' in page


@pytest.mark.parametrize("name", prediction_lists())
def test_predictions_are_a_plain_list(name):
    predictions = prediction_lists()[name]
    plain = list(predictions)
    assert type(plain) is list
    assert isinstance(predictions, list)
    if name != "images":
        assert predictions == plain
        assert json.loads(json.dumps(predictions)) == plain
        for copied in (copy.deepcopy(predictions), pickle.loads(pickle.dumps(predictions))):
            assert copied == plain
            assert repr(copied) == repr(predictions)


def test_predictions_show_the_most_probable_classes():
    predictions = PredictionList([{"label": "cat", "probabilities": CLASSES}] * 12, ["a"] * 12)
    lines = repr(predictions).splitlines()
    first = "{'label': 'cat', 'probabilities': {'cat': 0.7, \"<script>alert('1')</script>\": 0.2, "
    assert lines[0] == f"[{first}'dog': 0.06, ...}}}},"
    assert len(lines) == 11
    assert lines[-1] == " ... 2 more]"
    assert repr(PredictionList([{"value": 1.23456}])) == "[{'value': 1.235}]"


def test_pipelines_name_their_predictions_after_the_inputs(small_run, tmp_path):
    classify = pipelines.pipeline(small_run.model)
    path = tmp_path / "a.png"
    path.write_bytes(helpers.encode(helpers.image(9, 8)))
    assert classify(path).names == classify([str(path)]).names == [str(path)]
    assert classify(helpers.noise(3).inputs).names == ["0", "1", "2"]
    (tmp_path / "b.png").write_bytes(path.read_bytes())
    assert classify(tmp_path).names == [str(path), str(tmp_path / "b.png")]


def test_a_repr_of_a_run_has_its_metrics(small_run):
    text = repr(small_run)
    assert str(small_run.path) in text
    assert re.search(r"accuracy 0\.\d+", text)
    assert "majority-class baseline" in small_run._repr_html_()


ROWS = [("task", "image-classification"), ("labels", "猫, [bold], " + "x" * 30)]


def test_a_table_in_a_pipe_is_plain(capsys):
    print_table(ROWS)
    assert capsys.readouterr().out == f"{format_table(ROWS)}\n"


def test_a_table_on_a_terminal_fits_into_it(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    print_table(ROWS)
    lines = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()
    assert len(lines) > len(ROWS)
    assert max(map(len, lines)) <= 40
    assert "[bold]" in "".join(lines)  # no markup of rich's
