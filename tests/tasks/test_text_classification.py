import json

import helpers
import numpy as np
import pytest
import tensorflow as tf

from keras_fm import pipelines, registry, tasks
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.data.text_batches import BucketedTexts, pad_sequences
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.evaluation import evaluation
from keras_fm.exporting import saved_model
from keras_fm.models import loading, spec
from keras_fm.training import runs, training

NASTY = ["", "  ", "👍🏽 é́ 日本語", "<br />", "a\0b", "\ud800", "word " * 3000, "\u202e x"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two epochs of lstm on the bundled sample."""
    path = tmp_path_factory.mktemp("texts") / "run"
    return training.train(
        "lstm",
        data="sample",
        start="random",
        run_dir=path,
        validation_examples=56,
        epochs=2,
        batch_size=32,
    )


@pytest.fixture(scope="module")
def version(run, tmp_path_factory):
    return saved_model.export(run.model, tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def served(version):
    return tf.saved_model.load(str(version))


def ask(served, texts, signature="serving_default"):
    raw = [text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
           for text in texts]  # fmt: skip
    answers = served.signatures[signature](text=tf.constant(raw, tf.string))
    return {name: tensor.numpy() for name, tensor in answers.items()}


def probabilities(answers):
    return np.array([list(answer["probabilities"].values()) for answer in answers])


def rows(*lengths):
    """Texts that hold their own number, `2 + n`, as often as they are long."""
    texts = np.empty(len(lengths), object)
    texts[:] = [np.full(length, 2 + n, "int32") for n, length in enumerate(lengths)]
    return texts


def test_texts_are_padded_behind():
    padded = pad_sequences(rows(3, 1))
    assert padded.dtype == np.int32
    assert padded.tolist() == [[2, 2, 2, *[0] * 13], [3, *[0] * 15]]


@pytest.mark.parametrize("parts", [1, 4])
def test_texts_of_like_length_come_together_and_each_once(parts):
    random = np.random.default_rng(0)
    lengths = random.integers(1, 400, 640)
    recipe = helpers.recipe(batch_size=32, parts=parts)
    made = BucketedTexts(rows(*lengths), np.arange(640), recipe=recipe, seed=0)
    assert len(made) == 20 // parts
    seen, padding = [], 0
    for epoch, step in np.ndindex(parts, len(made)):
        made.epoch = epoch
        numbers, targets = made[step]
        assert (numbers.max(axis=1) == targets + 2).all()
        assert ((numbers != 0).sum(axis=1) == lengths[targets]).all()
        padding += (numbers == 0).sum()
        seen += targets.tolist()
    assert sorted(seen) == list(range(640))
    assert padding < 0.1 * lengths.sum()
    made.epoch = 0
    first = made[0][1].tolist()
    made.epoch = parts
    assert made[0][1].tolist() != first


def test_each_text_validates_once_beside_others_of_its_length(monkeypatch):
    task = tasks.task_of(spec.default_spec(registry.find("lstm")[0]))
    monkeypatch.setattr(task, "at_once", 50)
    sample = datasets.sample("imdb_reviews").subset(slice(230), "some")
    asked = task.rows(sample)
    batches = [(rows.numpy(), targets.numpy()) for rows, targets in task.held_out(sample)]
    assert [len(targets) for _, targets in batches] == [50, 50, 50, 50, 30]
    seen = [(row[row != 0].tolist(), target.argmax()) for pair in batches
            for row, target in zip(*pair, strict=True)]  # fmt: skip
    given = [(row.tolist(), target) for row, target in zip(asked, sample.targets, strict=True)]
    assert sorted(seen) == sorted(given)
    lengths = [len(row) for row in asked]
    assert sum(rows.size for rows, _ in batches) < 0.7 * len(lengths) * max(lengths)


def test_words_are_hidden_and_padding_is_not():
    recipe = helpers.recipe(batch_size=20, hide_words=0.2)
    numbers, _ = BucketedTexts(rows(*[90] * 20), np.arange(20), recipe=recipe, seed=0)[0]
    assert 0.1 < (numbers == 1).sum() / 1800 < 0.3
    assert (numbers[:, 90:] == 0).all()
    assert (numbers[:, :90] > 0).all()


def test_a_review_is_answered_with_a_label(run):
    answers = pipelines.pipeline(run.model)(["A great film.", "Dreadful."])
    for answer in answers:
        assert answer["label"] in ("negative", "positive")
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    one = pipelines.pipeline(run.model)("A great film.")
    np.testing.assert_allclose(probabilities(one), probabilities(answers[:1]), atol=1e-6)


def test_all_of_it_is_measured(run):
    sample = datasets.sample("imdb_reviews")
    scores = evaluation.evaluate(run.model, split="sample", slices="label")
    answers = pipelines.pipeline(run.model)(list(sample.inputs))
    labels = np.array(["negative", "positive"])[sample.targets]
    right = np.array([answer["label"] for answer in answers]) == labels
    assert scores["accuracy"] == pytest.approx(right.mean())
    assert scores["slices"]["positive"] == pytest.approx(right[labels == "positive"].mean())
    assert scores["examples"] == 256


def test_the_history_agrees_with_the_measure(run):
    assert run.history["val_accuracy"][-1] == pytest.approx(run.metrics["accuracy"], abs=0.03)


def test_the_export_answers_what_the_pipeline_answers(run, served):
    texts = [*NASTY, *(text.decode() for text in datasets.sample("imdb_reviews").inputs[:20])]
    answers, expected = ask(served, texts), pipelines.pipeline(run.model)(texts)
    np.testing.assert_allclose(answers["probabilities"], probabilities(expected), atol=1e-5)
    assert np.isfinite(answers["logits"]).all()
    assert answers["label"].astype("U").tolist() == [answer["label"] for answer in expected]


def test_a_row_does_not_depend_on_the_others(served):
    texts = ["Great.", "word " * 300, "", b"\xff\xfe bad bytes"]
    together = ask(served, texts)["logits"]
    alone = np.concatenate([ask(served, [text])["logits"] for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_an_empty_batch_has_no_answers(served):
    assert ask(served, [])["logits"].shape == (0, 2)


def test_features_are_what_the_logits_are_made_from(run, served):
    features = ask(served, ["A great film."], "features")["embedding"]
    kernel, bias = run.model.get_layer("logits").get_weights()
    expected = ask(served, ["A great film."])["logits"]
    np.testing.assert_allclose(features @ kernel + bias, expected, atol=1e-5)


def test_the_vocabulary_and_the_labels_are_assets(version):
    names = {path.name: path.read_text("utf-8") for path in (version / "assets").iterdir()}
    assert names["labels.txt"] == "negative\npositive\n"
    assert names["vocabulary.txt"].count("\n") == 20_000


def test_the_graph_has_stock_operations_alone(version):
    operations = helpers.operations(version)
    assert "While" in operations or "StatelessWhile" in operations  # the recurrence is there
    for kind in ("PyFunc", "Cudnn", "Xla"):
        assert not [name for name in operations if kind in name]
    assert json.loads((version / "keras_fm.json").read_text())["task"] == "text-classification"


def test_tensorboard_shows_the_reviews_as_points(run):
    logs = run.path / "logs" / "train"
    assert [*logs.glob("events.*")], "TensorBoard shows no folder without one"
    assert 'tensor_path: "embeddings.tsv"' in (logs / "projector_config.pbtxt").read_text()
    points = np.loadtxt(logs / "embeddings.tsv", delimiter="\t")
    about = [line.split("\t") for line in (logs / "about.tsv").read_text("utf-8").splitlines()]
    held_out = datasets.sample("imdb_reviews").subset(slice(200, None), "held out")
    assert about[0] == ["label", "text"]
    assert [row[0] for row in about[1:]] == [
        ["negative", "positive"][target] for target in held_out.targets
    ]
    assert points.shape == (56, 512)
    logits = run.model.get_layer("logits")(points.astype("float32"))
    expected = tasks.task_of(run.model).read_rows(
        run.model, tasks.task_of(run.model).rows(held_out)
    )
    np.testing.assert_allclose(logits, expected, atol=2e-3)


def test_a_run_opens_again(run):
    text = "Not a good film at all."
    again = pipelines.pipeline(runs.load_run(run.path).model)(text)
    assert again == pipelines.pipeline(run.model)(text)


@pytest.mark.parametrize(
    ("given", "complaint"), [([], "empty list"), ([3], "received int"), (["a", None], "NoneType")]
)
def test_what_is_no_text_is_named(run, given, complaint):
    with pytest.raises(InvalidInputError, match=complaint):
        pipelines.pipeline(run.model)(given)


@pytest.mark.parametrize(
    ("inputs", "targets", "complaint"),
    [
        (np.zeros((2, 3)), np.zeros(2, int), r"expected texts .*float64 \[2, 3\]"),
        (np.array(["a", "b"]), np.array([0, 2]), "labels from 0 to 1"),
        (np.array([], object), np.array([], int), "expected texts"),
    ],
)
def test_examples_that_do_not_fit_are_named(run, inputs, targets, complaint):
    with pytest.raises(DataError, match=complaint):
        evaluation.evaluate(run.model, data=Examples(inputs, targets, "mine"))


def test_another_number_of_classes_is_another_head():
    model = loading.get("lstm", weights=None, num_classes=5)
    assert model.output_shape == (None, 5)
    assert tasks.task_of(model).build_arguments["vocabulary"] == 20_002
