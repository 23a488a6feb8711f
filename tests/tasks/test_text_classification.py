import json

import helpers
import numpy as np
import pytest
import tensorboard_logs
import tensorflow as tf

from keras_fm import pipelines, registry
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, InvalidInputError
from keras_fm.evaluation import evaluation
from keras_fm.models import loading
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.base import task_of
from keras_fm.tasks.text_classification import summaries
from keras_fm.training import runs, training

NASTY = ["", "  ", "👍🏽 é́ 日本語", "<br />", "a\0b", "\ud800", "word " * 3000, "\u202e x"]


@pytest.fixture(scope="module")
def run(module_install, tmp_path_factory):
    """An epoch of a small lstm on the bundled sample."""
    package = module_install({"small_lstm": "their_zoo.small_lstm"}) / "small_lstm"
    helpers.write_small_package(package, "lstm", tokens=2000, width=8, units=8)
    return training.train(
        "small_lstm",
        data="sample",
        run_dir=tmp_path_factory.mktemp("texts") / "run",
        validation_examples=56,
        epochs=1,
        batch_size=32,
    )


@pytest.fixture(scope="module")
def version(run, tmp_path_factory):
    return helpers.export(run.model, tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def served(version):
    return tf.saved_model.load(str(version))


def call(served, texts, signature="serving_default"):
    raw = [text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
           for text in texts]  # fmt: skip
    outputs = served.signatures[signature](text=tf.constant(raw, tf.string))
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def probabilities(predictions):
    return np.array([list(prediction["probabilities"].values()) for prediction in predictions])


def test_validation_batches_texts_of_similar_length_and_each_text_once(monkeypatch):
    data = ModelSpec.of(registry.find("lstm")[0]).task.data
    monkeypatch.setattr(data, "eval_batch_size", 50)
    sample = datasets.sample("imdb_reviews").subset(slice(230), "some")
    token_ids = data.token_ids(sample.inputs)
    batches = [(rows.numpy(), targets.numpy()) for rows, targets in data.validation_dataset(sample)]
    assert [len(targets) for _, targets in batches] == [50, 50, 50, 50, 30]
    visited = [(row[row != 0].tolist(), target.argmax()) for batch in batches
               for row, target in zip(*batch, strict=True)]  # fmt: skip
    expected = [(row.tolist(), target) for row, target in
                zip(token_ids, sample.targets, strict=True)]  # fmt: skip
    assert sorted(visited) == sorted(expected)
    lengths = [len(row) for row in token_ids]
    assert sum(rows.size for rows, _ in batches) < 0.7 * len(lengths) * max(lengths)


def test_a_prediction_has_a_label_and_probabilities(run):
    predictions = pipelines.pipeline(run.model)(["A great film.", "Dreadful."])
    for prediction in predictions:
        assert list(prediction["probabilities"]) == ["negative", "positive"]
        assert prediction["label"] == max(
            prediction["probabilities"], key=prediction["probabilities"].get
        )
        assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    single = pipelines.pipeline(run.model)("A great film.")
    np.testing.assert_allclose(probabilities(single), probabilities(predictions[:1]), atol=1e-6)


def test_accuracy_and_slices_are_of_all_predictions(run):
    sample = datasets.sample("imdb_reviews")
    metrics = evaluation.evaluate(run.model, split="sample", slice_by="label")
    predictions = pipelines.pipeline(run.model)(list(sample.inputs))
    labels = np.array(["negative", "positive"])[sample.targets]
    correct = np.array([prediction["label"] for prediction in predictions]) == labels
    assert metrics["accuracy"] == pytest.approx(correct.mean())
    positive = metrics["slices"]["label"]["positive"]
    assert positive["accuracy"] == pytest.approx(correct[labels == "positive"].mean())
    assert metrics["num_examples"] == 256


def test_the_history_ends_with_the_final_accuracy(run):
    assert run.history["val_accuracy"][-1] == pytest.approx(run.metrics["accuracy"], abs=0.03)


def test_the_export_predicts_what_the_pipeline_predicts(run, served):
    texts = [*NASTY, *(text.decode() for text in datasets.sample("imdb_reviews").inputs[:20])]
    outputs, predictions = call(served, texts), pipelines.pipeline(run.model)(texts)
    np.testing.assert_allclose(outputs["probabilities"], probabilities(predictions), atol=1e-5)
    assert np.isfinite(outputs["logits"]).all()
    labels = [prediction["label"] for prediction in predictions]
    assert outputs["label"].astype("U").tolist() == labels


def test_logits_of_a_text_do_not_depend_on_the_batch(served):
    texts = ["Great.", "word " * 300, "", b"\xff\xfe bad bytes"]
    batch = call(served, texts)["logits"]
    single = np.concatenate([call(served, [text])["logits"] for text in texts])
    np.testing.assert_allclose(batch, single, atol=1e-5)
    assert np.abs(batch[0] - batch[1]).max() > 1e-3


def test_tokens_that_the_model_does_not_read_change_nothing(run, served):
    max_length = task_of(run.model).data.max_length
    text_ids = np.random.default_rng(0).integers(1, 2000, (2, max_length + 7), "int32")
    token_ids = served.signatures["token_ids"]
    outputs = token_ids(text_ids=tf.constant(text_ids))["logits"]
    expected = token_ids(text_ids=tf.constant(text_ids[:, :max_length]))["logits"]
    np.testing.assert_allclose(outputs, expected, atol=1e-6)


def test_an_empty_batch_has_empty_outputs(served):
    assert call(served, [])["logits"].shape == (0, 2)


def test_the_features_signature_returns_the_inputs_of_the_last_layer(run, served):
    features = call(served, ["A great film."], "features")["embedding"]
    kernel, bias = run.model.get_layer("logits").get_weights()
    expected = call(served, ["A great film."])["logits"]
    np.testing.assert_allclose(features @ kernel + bias, expected, atol=1e-5)


def test_the_vocabulary_and_the_labels_are_assets(run, version):
    assets = {path.name: path.read_text("utf-8") for path in (version / "assets").iterdir()}
    vocabulary = run.model.keras_fm_spec.vocabulary_file.read_text("utf-8")
    assert assets == {"labels.txt": "negative\npositive\n", "vocabulary.txt": vocabulary}
    assert vocabulary.count("\n") == 2000


def test_the_graph_has_stock_operations_alone(version):
    operations = helpers.operations(version)
    assert "While" in operations or "StatelessWhile" in operations  # the recurrence is there
    for kind in ("PyFunc", "Cudnn", "Xla"):
        assert not [name for name in operations if kind in name]
    assert json.loads((version / "keras_fm.json").read_text())["task"] == "text-classification"


def test_tensorboard_has_the_layout_of_all_tasks(run):
    tensorboard_logs.check_board(
        run.path,
        {"1_loss/loss", "2_metrics/accuracy", "4_speed/texts_per_second"},
        {"1_loss/loss", "2_metrics/accuracy", "5_result/accuracy", "5_most_confident_mistakes",
         "6_pictures/confusion_matrix", "6_pictures/reliability", "pr_curve/positive/pr_curves"},
    )  # fmt: skip


def test_the_projector_shows_embeddings_of_the_validation_texts(run):
    logs = run.path / "logs" / "validation"
    assert [*logs.glob("events.*")], "TensorBoard shows no folder without one"
    config = (logs / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "embeddings.tsv"' in config
    assert 'metadata_path: "metadata.tsv"' in config
    points = np.loadtxt(logs / "embeddings.tsv", delimiter="\t")
    header, *rows = [
        line.split("\t") for line in (logs / "metadata.tsv").read_text("utf-8").splitlines()
    ]
    validation = datasets.sample("imdb_reviews").subset(slice(200, None), "validation")
    assert header == ["label", "text"]
    labels = [["negative", "positive"][target] for target in validation.targets]
    assert [label for label, _ in rows] == labels
    assert points.shape == (56, 16)
    logits = run.model.get_layer("logits")(points.astype("float32"))
    expected = task_of(run.model).predictor.predict_examples(run.model, validation)
    np.testing.assert_allclose(logits, expected, atol=2e-3)


def test_the_projector_shows_no_more_than_it_can(run, monkeypatch):
    monkeypatch.setattr(summaries, "PROJECTOR_TEXTS", 3)
    sample = datasets.sample("imdb_reviews").subset(slice(20), "a few")
    points = task_of(run.model).summaries.projector_points(run.model, sample)
    assert points.vectors.shape == (3, 16)
    assert {len(column) for column in points.metadata.values()} == {3}


def test_a_loaded_run_predicts_the_same(run):
    text = "Not a good film at all."
    predictions = pipelines.pipeline(runs.load_run(run.path).model)(text)
    assert predictions == pipelines.pipeline(run.model)(text)


@pytest.mark.parametrize(
    ("inputs", "message"), [([], "empty list"), ([3], "received int"), (["a", None], "NoneType")]
)
def test_inputs_that_are_no_texts_are_an_error(run, inputs, message):
    with pytest.raises(InvalidInputError, match=message):
        pipelines.pipeline(run.model)(inputs)


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (np.zeros((2, 3)), np.zeros(2, int), r"expected texts .*float64 \[2, 3\]"),
        (np.array(["a", "b"]), np.array([0, 2]), "labels from 0 to 1"),
        (np.array([], object), np.array([], int), "expected texts"),
    ],
)
def test_examples_of_another_kind_are_an_error(run, inputs, targets, message):
    with pytest.raises(DataError, match=message):
        evaluation.evaluate(run.model, data=Examples(inputs, targets, "mine"))


def test_another_number_of_classes_changes_the_head_alone():
    model = loading.get("lstm", weights=None, num_classes=5)
    assert model.output_shape == (None, 5)
    assert model.get_layer("token_embedding").input_dim == 20_002
