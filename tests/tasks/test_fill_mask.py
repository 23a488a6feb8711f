import helpers
import numpy as np
import pytest
import tensorflow as tf
from reference_tokenizer import reference_tokenizer

from keras_fm import pipelines, registry, store, tasks
from keras_fm.data import datasets
from keras_fm.errors import InvalidInputError
from keras_fm.exporting import saved_model
from keras_fm.models import building, loading, weights
from keras_fm.models.spec import ModelSpec
from keras_fm.preprocessing.vocabulary import token_names
from keras_fm.training import runs, training

MASK = 4


def task():
    return tasks.task_of(ModelSpec.of_pretraining(registry.info("tiny_filler")))


@pytest.fixture
def run(tiny_reader, tmp_path):
    options = {"pretraining.epochs": 2, "epochs": 1}
    return training.train("tiny_filler", data="sample", run_dir=tmp_path / "run", **options)


@pytest.fixture
def filler(tiny_reader):
    return building.build(registry.find("tiny_filler")[0], task().identity)


def test_a_model_that_knows_nothing_is_perplexed_by_every_piece(filler):
    filler.get_layer("words").set_weights([np.zeros((400, 4))])
    texts = datasets.sample("imdb_reviews").subset(slice(20), "20 reviews")
    measured = task().measure(filler, texts)
    assert measured["perplexity"] == pytest.approx(400, rel=1e-4)
    targets = task().encode(texts).targets
    assert measured["masked_accuracy"] == pytest.approx((targets == 0).mean())


def test_the_classifier_goes_on_with_the_pieces_vectors(run):
    before = runs.load_run(run.path / "pretraining")
    assert set(before.metrics) == {"masked_accuracy", "perplexity"}
    assert before.metrics["perplexity"] < 400
    assert before.baseline["masked_accuracy"] > 0
    mine, theirs = (r.model.get_layer("words").get_weights()[0] for r in (run, before))
    assert np.abs(mine - theirs).max() < 0.2 * np.abs(theirs).max()


def test_the_classifier_hides_pieces_behind_the_mask_that_it_knows(tiny_reader):
    reader = tasks.task_of(ModelSpec.of(registry.info("tiny_filler")))
    some = datasets.sample("imdb_reviews").subset(slice(32), "32 reviews")
    plain, hidden = (
        reader.batches(some, helpers.recipe(batch_size=32, hide_words=share), 0)[0][0]
        for share in (0.0, 0.3)
    )
    assert (plain == MASK).sum() == 0
    assert (hidden == MASK).sum() / (plain != 0).sum() == pytest.approx(0.3, abs=0.05)
    np.testing.assert_array_equal(hidden[hidden != MASK], plain[hidden != MASK])


def test_gaps_are_filled(filler):
    pipe = pipelines.pipeline(filler)
    texts = ["A [MASK] film.", "[MASK]! I [MASK] it", "[MASK]"]
    answers = pipe(texts)
    assert [len(answer["gaps"]) for answer in answers] == [1, 2, 1]
    tokens = token_names(registry.find("tiny_filler")[0].path / "vocabulary.txt", "wordpiece")
    for answer in answers:
        for gap in answer["gaps"]:
            assert set(gap) <= set(tokens)
            assert list(gap.values()) == sorted(gap.values(), reverse=True)
            assert len(gap) == 5
    assert pipe("A [MASK] film.") == answers[:1]


def test_a_gap_that_is_left_out_of_a_long_text_is_refused(filler, tmp_path):
    long = "word " * 60
    pipe = pipelines.pipeline(filler)
    with pytest.raises(
        InvalidInputError, match=r"every \[MASK\] among the 50 pieces.* received 1, "
    ):
        pipe(f"{long}[MASK] {long}")
    with pytest.raises(InvalidInputError, match=r"received 2, of which 1 are there, in '\[MASK\]"):
        pipe(["a [MASK]", f"[MASK] {long}[MASK] {long}"])
    assert len(pipe(f"[MASK] {long}[MASK]")[0]["gaps"]) == 2
    served = tf.saved_model.load(str(saved_model.export(filler, tmp_path / "export")))
    fill_mask = served.signatures["fill_mask"]
    assert fill_mask(tf.constant([f"[MASK] {long}[MASK]"]))["tokens"].shape == (1, 2, 5)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"text, row 1: expected every \[MASK\]"
    ):
        fill_mask(tf.constant(["a [MASK]", f"{long}[MASK] {long}"]))


def test_the_export_fills_them_too(filler, tmp_path):
    version = saved_model.export(filler, tmp_path / "export")
    served = tf.saved_model.load(str(version))
    texts = ["A [MASK] film.", "[MASK]! I [MASK] it", "no gap", ""]
    answers = served.signatures["fill_mask"](tf.constant(texts))
    tokens = np.char.decode(answers["tokens"].numpy().astype("S"), "utf-8")
    scores = answers["scores"].numpy()
    assert tokens.shape == scores.shape == (4, 2, 5)
    expected = pipelines.pipeline(filler)(texts[:2])
    for text, row in enumerate(expected):
        for gap, best in enumerate(row["gaps"]):
            assert tokens[text, gap].tolist() == list(best)
            np.testing.assert_allclose(scores[text, gap], list(best.values()), atol=1e-6)
    assert set(tokens[2:].ravel()) == {""}
    assert not scores[2:].any()
    assert not tokens[0, 1].any()
    stock = helpers.operations(version)
    assert not [name for name in stock if "PyFunc" in name or "Xla" in name]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [([], "empty list"), (["a film"], r"expected \[MASK\]"), ([3], "received int")],
)
def test_what_has_no_gap_is_named(given, complaint, filler):
    with pytest.raises(InvalidInputError, match=complaint):
        pipelines.pipeline(filler)(given)


def test_numbers_of_pieces_are_served_as_texts_are(tiny_reader, tmp_path):
    model = loading.get("tiny_filler", weights=None)
    version = saved_model.export(model, tmp_path / "export")
    served = tf.saved_model.load(str(version))
    texts = ["A good film.", "Bad!"]
    tokenize = reference_tokenizer(registry.find("tiny_filler")[0].path / "vocabulary.txt")
    numbers = tf.ragged.constant([tokenize(text, 50) for text in texts], tf.int32).to_tensor()
    by_text = served.signatures["serving_default"](text=tf.constant(texts))
    by_number = served.signatures["token_ids"](text_ids=numbers)
    assert set(by_text) == {"probabilities", "logits", "label", "embedding"}
    for name, answer in by_text.items():
        assert np.array_equal(answer, by_number[name]), name


def test_weights_of_the_first_task_are_a_model_of_their_own(tiny_reader, filler):
    room, _ = registry.find("tiny_filler")
    (room.path / "weights").mkdir()
    file = room.path / "weights" / "first.weights.h5"
    weights.save_weights(filler, file)
    helpers.write_record(room.path, task="masked-language-modelling", sha256=store.sha256_of(file))
    pretrained = loading.get("tiny_filler.first")
    assert helpers.same_weights(pretrained, filler)
    for name in ("tiny_filler.first", "tiny_filler"):
        classifier = loading.get(name, num_classes=4)
        assert classifier.output_shape == (None, 4)
        both = (each.get_layer("words").get_weights()[0] for each in (classifier, filler))
        np.testing.assert_array_equal(*both)
