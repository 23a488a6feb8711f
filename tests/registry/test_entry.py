import json

import helpers
import pytest

from keras_fm import registry
from keras_fm.errors import SchemaError, UnknownNameError
from keras_fm.registry.entry import load_entry, to_dict


@pytest.fixture
def package(tiny_net):
    helpers.write_record(tiny_net)
    return tiny_net


def changed(package, old, new):
    """The entry's path, after `old` became `new` in it."""
    path = package / "entry.toml"
    text = path.read_text()
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))
    return path


def test_an_entry_has_default_weights(package):
    entry = load_entry(package / "entry.toml")
    assert entry.pretrained
    assert entry.weights_of() is entry.weights_of("first")
    assert entry.weights_of().seeds.seeds == [0]


def test_an_entry_without_weights_says_how_to_get_a_model():
    entry = registry.info("cifar_cnn_basic")
    bare = type(entry)(**{name: getattr(entry, name) for name in entry.__struct_fields__[:7]})
    assert not bare.pretrained
    with pytest.raises(UnknownNameError, match=r"no pretrained weights.*weights=None"):
        bare.weights_of()
    with pytest.raises(UnknownNameError, match="no weights 'best'"):
        bare.weights_of("best")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('task = "image-', 'task = "picture-', "field 'task'.*'picture-classification'"),
        ('dataset = "cifar10"', "dataset = 10", "field 'dataset'.*received 10"),
        ('dataset = "cifar10"', 'dataset = ""\ninit_from = "a"\npretraining = "tabular-regression"',
         "'pretraining' and 'init_from': .*one of them; received 'tabular-regression' and 'a'"),
        ("shape = [32, 32, 3]", "shape = [32, 0, 3]", r"'inputs\[0\]\.shape\[1\]'.*received 0"),
        ("summary", "sumary", "unknown field 'sumary'. Did you mean 'summary'"),
        ('title = "A tiny network"', "", "required field `title`"),
        ("accuracy = 0.1", "accuracy = 10.1",
         r"\[weights\.first\].*'metrics\.accuracy'.*at most 1.*received 10.1"),
        ("accuracy = 0.1", "accuracy = -1.0",
         r"\[weights\.first\].*'metrics\[\.\.\.\]'.*received"),
        ("accuracy = 0.1", "acuracy = 0.1", r"\[weights\.first\].*'sample_metrics'.*\['acuracy'"),
        ("accuracy = [0.1]", "", r"\[weights\.first\].*'seeds\.metrics'.*\['accuracy_tta'\]"),
        ('sha256 = "', 'sha256 = "x', r"\[weights\.first\].*field 'sha256'.*received 'x"),
        ('file = "weights/', 'file = "../', r"\[weights\.first\].*field 'file'.*received '\.\./"),
        ('file = "weights/', 'file = "/tmp/', r"\[weights\.first\].*field 'file'.*received '/tmp/"),
        ("seeds = [0]", "seeds = []", r"\[weights\.first\].*field 'seeds\.seeds'.*received \[\]"),
        ('default_weights = "first"', 'default_weights = "last"',
         r"field 'default_weights': expected one of \['first'\],.*; received 'last'"),
        ('default_weights = "first"', "", "field 'default_weights'.*received None"),
        ('name = "tiny_net"', 'name = "other"', "folder's name 'tiny_net', received 'other'"),
        ('name = "tiny_net"', 'name = "Tiny-Net"', "field 'name'.*received 'Tiny-Net'"),
    ],
)  # fmt: skip
def test_an_error_names_file_field_and_value(package, old, new, complaint):
    path = changed(package, old, new)
    with pytest.raises(SchemaError, match=rf"entry\.toml.*{complaint}"):
        load_entry(path)


def test_weights_of_the_pretraining_alone_are_no_default(package):
    changed(package, 'default_weights = "first"', 'pretraining = "fill-mask"')
    path = changed(package, 'file = "weights', 'task = "fill-mask"\nfile = "weights')
    entry = load_entry(path)
    assert not entry.pretrained
    with pytest.raises(UnknownNameError, match=r"train tiny_net --init-from tiny_net\.first"):
        entry.weights_of()
    path.write_text('default_weights = "first"\n' + path.read_text())
    with pytest.raises(SchemaError, match=r"expected one of \[\].*; received 'first'"):
        load_entry(path)


def test_a_classifier_has_two_labels_or_more(tiny_net):
    path = tiny_net / "entry.toml"
    before, rest = path.read_text().split("labels = [", 1)
    path.write_text(f'{before}labels = ["one"]{rest.partition("]")[2]}')
    with pytest.raises(SchemaError, match=r"field 'labels'.*received \['one'\]"):
        load_entry(path)


def test_an_entry_becomes_json(package):
    entry = load_entry(package / "entry.toml")
    again = json.loads(json.dumps(to_dict(entry)))
    assert again["name"] == "tiny_net"
    assert again["weights"]["first"]["training_environment"]["minutes"] == 1.0


BASELINE = """
[[baselines]]
method = "guessing"
metric = "accuracy"
value = 0.1
source = "python tools/baselines.py tiny_net"
"""


def test_an_entry_has_baselines(tiny_net):
    path = tiny_net / "entry.toml"
    path.write_text(path.read_text() + BASELINE)
    (baseline,) = load_entry(path).baselines
    assert (baseline.method, baseline.metric, baseline.value) == ("guessing", "accuracy", 0.1)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"accuracy"', '"acuracy"', "field 'baselines': no metric 'acuracy'. Did you.*'accuracy'"),
        ("0.1", "1.1", r"field 'baselines\.accuracy': expected at most 1\.0, received 1\.1"),
        ('source = "', 'url = "', r"'baselines\[0\]': object contains unknown field `url`"),
    ],
)
def test_an_error_in_a_baseline_is_named(tiny_net, old, new, complaint):
    path = tiny_net / "entry.toml"
    path.write_text(path.read_text() + BASELINE.replace(old, new))
    with pytest.raises(SchemaError, match=complaint):
        load_entry(path)
