from types import SimpleNamespace

import helpers
import numpy as np
import pytest
import tensorflow as tf

from keras_fm import pipelines, registry, store
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import InvalidInputError
from keras_fm.exporting import saved_model
from keras_fm.models import building, loading, weights
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.base import task_of
from keras_fm.training import runs, training

MASK_ID = 4


@pytest.fixture
def spec(tiny_reader):
    return ModelSpec.of_pretraining(registry.find("tiny_filler")[0])


@pytest.fixture
def model(spec):
    return building.build(spec)


@pytest.fixture
def run(tiny_reader, tmp_path):
    options = {"pretraining.epochs": 2, "epochs": 1}
    return training.train("tiny_filler", data="sample", run_dir=tmp_path / "run", **options)


def token_embedding(model):
    return model.get_layer("token_embedding").get_weights()[0]


def test_the_perplexity_of_uniform_predictions_is_the_vocabulary_size(spec, model):
    model.get_layer("token_embedding").set_weights([np.zeros((400, 4))])
    texts = datasets.sample("imdb_reviews").subset(slice(20), "20 reviews")
    metrics = spec.task.objective.evaluate(model, texts)
    assert metrics["perplexity"] == pytest.approx(400, rel=1e-4)
    targets = spec.task.data.encode(texts).targets
    assert metrics["masked_accuracy"] == pytest.approx((targets == 0).mean())


def test_accuracy_and_perplexity_are_of_all_masked_tokens_of_all_batches(spec, monkeypatch):
    data = spec.task.data
    texts = datasets.sample("imdb_reviews").subset(slice(20), "20 reviews")
    targets = data.encode(texts).targets
    monkeypatch.setattr(type(data), "eval_batch_size", len(targets) - 1)  # the last one is alone
    logits = np.log(9 * 399) * np.eye(400)[targets]  # of 0.9, and 0.1 for all others
    logits[-1] = 0
    logits[-1, :, 0] = 1
    starts = iter((0, len(targets) - 1))

    def predict_on_batch(inputs):
        start = next(starts)
        return logits[start : start + len(inputs["text_ids"])].astype("float32")

    model = SimpleNamespace(name="guesser", predict_on_batch=predict_on_batch)
    metrics = spec.task.objective.metrics(model, texts, None)
    assert metrics["masked_accuracy"] == pytest.approx(1 - 1 / len(targets))
    lost = np.log(np.e + 399)
    nats = (-(len(targets) - 1) * np.log(0.9) + lost) / len(targets)
    assert metrics["perplexity"] == pytest.approx(np.exp(nats), rel=1e-4)


def test_the_baseline_is_the_most_common_token_that_is_a_word(spec):
    # Each text has a beginning and an end too, which are as common.
    texts = Examples(np.array([b"film"] * 4, object), np.zeros(4, int), "texts")
    validation = Examples(np.array([b"film bad " * 40], object), np.zeros(1, int), "a text")
    film = spec.task.data.vocabulary.tokens.index("film")
    share = (spec.task.data.encode(validation).targets == film).mean()
    assert 0 < share < 1
    baseline = spec.task.objective.baseline(texts, validation)
    assert baseline == {"masked_accuracy": pytest.approx(share)}


@pytest.mark.parametrize("probability", [0.25, 0.5])
def test_the_recipe_says_how_many_tokens_are_masked_in_training(spec, probability):
    texts = datasets.sample("imdb_reviews").subset(slice(20), "20 reviews")
    options = {"mlm_probability": probability, "sequence_length": 64}
    recipe = helpers.recipe("fill-mask", **options)
    _, targets = spec.task.data.batches(texts, recipe, 0)[0]
    assert targets.shape == (4, 64 * probability)
    evaluated = [spec.task.data.encode(texts) for _ in range(2)]
    assert evaluated[0].targets.shape[1] == round(0.15 * 128)
    for name in ("text_ids", "mask_positions"):
        np.testing.assert_array_equal(evaluated[0].inputs[name], evaluated[1].inputs[name])


@pytest.mark.thorough
def test_the_classifier_starts_from_the_pretrained_embeddings(run):
    pretraining = runs.load_run(run.path / "pretraining")
    assert set(pretraining.metrics) == {"masked_accuracy", "perplexity"}
    assert pretraining.metrics["perplexity"] < 400
    assert pretraining.baseline["masked_accuracy"] > 0
    classifier, pretrained = map(token_embedding, (run.model, pretraining.model))
    assert np.abs(classifier - pretrained).max() < 0.2 * np.abs(pretrained).max()


def test_token_dropout_of_the_classifier_uses_the_mask_token(tiny_reader):
    task = ModelSpec.of(registry.find("tiny_filler")[0]).task
    examples = datasets.sample("imdb_reviews").subset(slice(32), "32 reviews")

    def text_ids(token_dropout):
        recipe = helpers.recipe("text-classification", batch_size=32, token_dropout=token_dropout)
        inputs, _ = task.data.batches(examples, recipe, 0)[0]
        return inputs

    plain, dropped = text_ids(0.0), text_ids(0.3)
    assert (plain == MASK_ID).sum() == 0
    assert (dropped == MASK_ID).sum() / (plain != 0).sum() == pytest.approx(0.3, abs=0.05)
    np.testing.assert_array_equal(dropped[dropped != MASK_ID], plain[dropped != MASK_ID])


def test_the_pipeline_fills_masks(spec, model):
    fill_mask = pipelines.pipeline(model)
    texts = ["A [MASK] film.", "[MASK]! I [MASK] it", "[MASK]"]
    predictions = fill_mask(texts)
    assert [len(prediction["masks"]) for prediction in predictions] == [1, 2, 1]
    for prediction in predictions:
        for mask in prediction["masks"]:
            assert set(mask) <= set(spec.task.data.vocabulary.tokens)
            assert list(mask.values()) == sorted(mask.values(), reverse=True)
            assert len(mask) == 5
    assert fill_mask("A [MASK] film.") == predictions[:1]


def test_a_mask_beyond_the_maximum_length_is_an_error(model, tmp_path):
    long = "word " * 60
    fill_mask = pipelines.pipeline(model)
    with pytest.raises(
        InvalidInputError, match=r"every \[MASK\] among the 50 tokens.* received 1, "
    ):
        fill_mask(f"{long}[MASK] {long}")
    with pytest.raises(InvalidInputError, match=r"received 2, of which 1 are there, in '\[MASK\]"):
        fill_mask(["a [MASK]", f"[MASK] {long}[MASK] {long}"])
    assert len(fill_mask(f"[MASK] {long}[MASK]")[0]["masks"]) == 2
    served = tf.saved_model.load(str(saved_model.export(model, tmp_path / "export")))
    signature = served.signatures["fill_mask"]
    assert signature(tf.constant([f"[MASK] {long}[MASK]"]))["tokens"].shape == (1, 2, 5)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"text, row 1: expected every \[MASK\]"
    ):
        signature(tf.constant(["a [MASK]", f"{long}[MASK] {long}"]))


@pytest.mark.thorough
def test_the_export_predicts_what_the_pipeline_predicts(model, tmp_path):
    # The scores are far apart, so that their order is the same on every CPU.
    embedding = model.get_layer("token_embedding")
    embedding.set_weights([80 * embedding.get_weights()[0]])
    version = saved_model.export(model, tmp_path / "export")
    served = tf.saved_model.load(str(version))
    texts = ["A [MASK] film.", "[MASK]! I [MASK] it", "no mask", ""]
    outputs = served.signatures["fill_mask"](tf.constant(texts))
    tokens = np.char.decode(outputs["tokens"].numpy().astype("S"), "utf-8")
    scores = outputs["scores"].numpy()
    assert tokens.shape == scores.shape == (4, 2, 5)
    predictions = pipelines.pipeline(model)(texts[:2])
    for text, prediction in enumerate(predictions):
        for mask, best in enumerate(prediction["masks"]):
            assert min(-np.diff(list(best.values()))) > 1e-4
            assert tokens[text, mask].tolist() == list(best)
            np.testing.assert_allclose(scores[text, mask], list(best.values()), atol=1e-6)
    assert set(tokens[2:].ravel()) == {""}
    assert not scores[2:].any()
    assert set(tokens[0, 1]) == {""}
    operations = helpers.operations(version)
    assert not [name for name in operations if "PyFunc" in name or "Xla" in name]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [([], "empty list"), (["a film"], r"expected \[MASK\]"), ([3], "received int")],
)
def test_inputs_without_a_mask_are_an_error(inputs, message, model):
    with pytest.raises(InvalidInputError, match=message):
        pipelines.pipeline(model)(inputs)


@pytest.mark.thorough
def test_the_classifier_serves_token_ids_as_it_serves_texts(tiny_reader, tmp_path):
    model = loading.get("tiny_filler", weights=None)
    version = saved_model.export(model, tmp_path / "export")
    served = tf.saved_model.load(str(version))
    texts = ["A good film.", "Bad!"]
    token_ids = task_of(model).data.token_ids([text.encode() for text in texts])
    text_ids = tf.ragged.constant(token_ids.tolist(), tf.int32).to_tensor()
    from_texts = served.signatures["serving_default"](text=tf.constant(texts))
    from_ids = served.signatures["token_ids"](text_ids=text_ids)
    assert set(from_texts) == {"probabilities", "logits", "label", "embedding"}
    for name, output in from_texts.items():
        assert np.array_equal(output, from_ids[name]), name


def test_pretraining_weights_can_be_loaded_and_start_a_classifier(model):
    package, _ = registry.find("tiny_filler")
    (package.path / "weights").mkdir()
    file = package.path / "weights" / "first.weights.h5"
    weights.save_weights(model, file)
    helpers.write_record(package.path, task="fill-mask", sha256=store.sha256_of(file))
    pretrained = loading.get("tiny_filler.first")
    assert helpers.same_weights(pretrained, model)
    for name in ("tiny_filler.first", "tiny_filler"):
        classifier = loading.get(name, num_classes=4)
        assert classifier.output_shape == (None, 4)
        np.testing.assert_array_equal(token_embedding(classifier), token_embedding(model))
