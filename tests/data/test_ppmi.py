import functools

import numpy as np
import pytest

from keras_fm import registry
from keras_fm.data import datasets, ppmi
from keras_fm.training import jobs

VOCABULARY_SIZE = 22


def sample_job(name):
    """The training of a zoo model on the bundled sample, of which the last 56 texts validate."""
    package, _ = registry.find(name)
    return jobs.training_job(
        package,
        data="sample",
        target=None,
        problem_type=None,
        seed=0,
        overrides={"validation_examples": 56},
    )


@pytest.fixture
def make_small(monkeypatch):
    """`make_small("lstm", "build", units=4)`: `build` makes embeddings of 8 values, and 4 units."""

    def make_small(name, function, **options):
        module = registry.find(name)[0].module("model")
        build = functools.partial(getattr(module, function), width=8, **options)
        monkeypatch.setattr(module, function, build)

    return make_small


def initial_embeddings(job):
    return jobs.initial_model(job).get_layer("token_embedding").get_weights()[0]


def two_languages(count=400, length=30):
    """Texts of words 2 to 11 or of words 12 to 21; a third of them are shorter."""
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


def test_the_initial_embeddings_of_lstm_are_those_of_the_training_examples(make_small):
    make_small("lstm", "build", units=4)
    job = sample_job("lstm")
    assert len(job.validation) == 56
    embeddings = initial_embeddings(job)
    used = np.unique(job.task.data.encode(job.examples).inputs)
    unused = np.delete(np.arange(len(embeddings)), used)
    assert (embeddings[unused] == 0).all(), "of words that only the validation examples have, too"
    assert (np.abs(embeddings[used]).max(axis=1) > 0).mean() > 0.9
    assert embeddings[used].std() == pytest.approx(ppmi.STANDARD_DEVIATION, rel=0.1)


def test_the_initial_embeddings_of_mini_bert_are_those_of_its_pretraining_examples(make_small):
    for function in ("build", "build_for_pretraining"):
        make_small("mini_bert", function, depth=1, heads=2, hidden=8)
    package, _ = registry.find("mini_bert")
    job = jobs.pretraining_job(package, data="sample", seed=0, overrides={})
    embeddings = initial_embeddings(job)
    used = np.unique(job.task.data.encode(job.examples).inputs["text_ids"])
    unused = np.delete(np.arange(len(embeddings)), used)
    assert (embeddings[unused] == 0).all()
    assert embeddings[used].std() == pytest.approx(0.045, rel=0.2)
    random = initial_embeddings(sample_job("mini_bert"))
    assert (random != 0).all(), "a classifier without pretraining starts from random ones"


@pytest.mark.full_data
def test_lstm_adapts_to_the_unlabeled_reviews_too_and_not_to_the_validation_examples():
    package, _ = registry.find("lstm")
    job = jobs.training_job(
        package, data=None, target=None, problem_type=None, seed=0, overrides={}
    )
    unlabeled, labeled = (datasets.load("imdb_reviews", name) for name in ("unsupervised", "train"))
    assert len(job.adapt_examples) == 72_500
    assert job.adapt_examples.inputs[-1] == labeled.inputs[22_499]
    assert job.adapt_examples.inputs[0] == unlabeled.inputs[0]
    assert job.validation.inputs[0] == labeled.inputs[22_500]
