import numpy as np
import pytest

from keras_fm import registry
from keras_fm.data import datasets, ppmi
from keras_fm.models import building
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.base import task_of
from keras_fm.training import jobs

VOCABULARY_SIZE = 22


def two_languages(count=400, length=30):
    """Texts of words 2 to 11 or of words 12 to 21; a third of them is shorter."""
    rng = np.random.default_rng(0)
    texts = rng.integers(2, 12, (count, length)) + 10 * (np.arange(count) % 2)[:, None]
    texts[::3, length // 2 :] = 0
    return texts.astype("int32")


def test_words_that_occur_together_have_similar_embeddings():
    embeddings = ppmi.ppmi_embeddings(two_languages(), VOCABULARY_SIZE, width=2)
    assert embeddings.shape == (VOCABULARY_SIZE, 2)
    assert embeddings.dtype == np.float32
    assert (embeddings[:2] == 0).all()  # of padding and of the unknown word, which do not occur
    assert embeddings[2:].std() == pytest.approx(0.45)
    directions = embeddings[2:] / np.linalg.norm(embeddings[2:], axis=1, keepdims=True)
    similarity = directions @ directions.T
    assert similarity[:10, :10].min() > 0.9
    assert similarity[10:, 10:].min() > 0.9
    assert similarity[:10, 10:].max() < 0.1


def test_embeddings_factorize_the_ppmi_matrix():
    """By the formulas of Levy et al. 2015, on a matrix that is small enough to write them down."""
    rng = np.random.default_rng(0)
    text_ids = (2 + 8 * rng.random((200, 12)) ** 2).astype("int32")
    counts = ppmi._cooccurrences(text_ids, 10).toarray()
    words = counts.sum(axis=1)
    contexts = np.divide(words**0.75, (words**0.75).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        pmi = np.log(counts / words[:, None] / contexts)
    matrix = np.nan_to_num(np.maximum(pmi, 0), nan=0.0)
    left, singular_values, _ = np.linalg.svd(matrix)
    expected = left[:, :3] * np.sqrt(singular_values[:3])
    embeddings = ppmi.ppmi_embeddings(text_ids, 10, width=3).astype("float64")
    gram, expected_gram = embeddings @ embeddings.T, expected @ expected.T
    scale = np.trace(gram) / np.trace(expected_gram)  # and the signs of the columns are free
    np.testing.assert_allclose(gram, scale * expected_gram, atol=1e-5)


def test_nearer_words_count_more_and_padding_does_not():
    text_ids = np.array([[5, 6, 7, 0], [6, 5, 0, 0]], "int32")
    counts = ppmi._cooccurrences(text_ids, 8).toarray()
    assert counts[5, 6] == counts[6, 5] == 2
    assert counts[5, 7] == counts[7, 5] == pytest.approx(0.9)
    assert counts[6, 7] == 1
    assert counts.sum() == pytest.approx(2 * (2 + 0.9 + 1))


def test_words_beyond_the_window_do_not_count():
    text_ids = np.array([[2, *[3] * 9, 4, 5]], "int32")
    counts = ppmi._cooccurrences(text_ids, 6).toarray()
    assert counts[2, 4] == pytest.approx(0.1)
    assert counts[2, 5] == 0


def test_the_same_texts_have_the_same_embeddings():
    embeddings, same = (
        ppmi.ppmi_embeddings(two_languages(), VOCABULARY_SIZE, width=4) for _ in range(2)
    )
    np.testing.assert_array_equal(embeddings, same)


def test_texts_of_single_words_have_no_embeddings():
    assert not ppmi.ppmi_embeddings(np.array([[5, 0], [6, 0]], "int32"), 8, width=4).any()


def test_a_training_of_lstm_starts_from_them():
    room, _ = registry.find("lstm")
    recipe = ModelSpec.of(room).task.default_recipe().override(validation_examples=56)
    job = jobs.training_job(room, recipe, 0, "sample", None, None, overrides=["validation_examples"])
    assert job.adapting is job.examples
    embeddings = building.build_for_training(job).get_layer("words").get_weights()[0]
    used = np.unique(task_of(job.identity).data.encode(job.examples).inputs)
    assert np.flatnonzero(np.abs(embeddings).max(axis=1)).size > 0.9 * len(used)
    assert embeddings.std() > 0


def test_the_language_model_of_mini_bert_starts_from_them_and_its_classifier_does_not():
    room, _ = registry.find("mini_bert")
    recipe = ModelSpec.of_pretraining(room).task.default_recipe()
    pretraining = jobs.pretraining_job(room, recipe, 0, "sample", overrides=[])
    classification = jobs.training_job(
        room, ModelSpec.of(room).task.default_recipe(), 0, "sample", None, None, overrides=[]
    )
    adapted, random = (
        building.build_for_training(job).get_layer("words").get_weights()[0]
        for job in (pretraining, classification)
    )
    examples = task_of(pretraining.identity).data.encode(pretraining.examples)
    used = np.unique(examples.inputs["text_ids"])
    unused = np.delete(np.arange(len(adapted)), used)
    assert (adapted[unused] == 0).all()
    assert adapted[used].std() == pytest.approx(0.045, rel=0.2)
    assert (random != 0).all()


@pytest.mark.full_data
def test_lstm_adapts_to_the_unlabeled_reviews_too_and_not_to_the_validation():
    room, _ = registry.find("lstm")
    job = jobs.training_job(
        room, ModelSpec.of(room).task.default_recipe(), 0, None, None, None, chosen=None
    )
    unlabeled, labeled = (datasets.load("imdb_reviews", name) for name in ("unsupervised", "train"))
    assert len(job.adapting) == 72_500
    assert job.adapting.inputs[-1] == labeled.inputs[22_499]
    assert job.adapting.inputs[0] == unlabeled.inputs[0]
    assert job.validation.inputs[0] == labeled.inputs[22_500]
