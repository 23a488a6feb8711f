import numpy as np
import pytest

from keras_fm import registry
from keras_fm.data import datasets, ppmi
from keras_fm.models.spec import ModelSpec
from keras_fm.tasks.base import task_of
from keras_fm.training import jobs, training

COUNT = 22


def texts(count=400, length=30):
    """Two languages, 2 to 11 and 12 to 21; a text is of one of them. Some are shorter."""
    random = np.random.default_rng(0)
    made = random.integers(2, 12, (count, length)) + 10 * (np.arange(count) % 2)[:, None]
    made[::3, length // 2 :] = 0
    return made.astype("int32")


def test_words_that_stand_together_are_alike():
    vectors = ppmi.ppmi_embeddings(texts(), COUNT, width=2)
    assert vectors.shape == (COUNT, 2)
    assert vectors.dtype == np.float32
    assert (vectors[:2] == 0).all()  # no text has them
    directions = vectors[2:] / np.linalg.norm(vectors[2:], axis=1, keepdims=True)
    alike = directions @ directions.T
    assert alike[:10, :10].min() > 0.9
    assert alike[10:, 10:].min() > 0.9
    assert alike[:10, 10:].max() < 0.1


def test_nearer_words_count_more_and_padding_does_not():
    counts = ppmi._cooccurrences(np.array([[5, 6, 7, 0], [6, 5, 0, 0]], "int32"), 8).toarray()
    assert counts[5, 6] == counts[6, 5] == 2
    assert counts[5, 7] == counts[7, 5] == pytest.approx(0.9)
    assert counts[6, 7] == 1
    assert counts.sum() == pytest.approx(2 * (2 + 0.9 + 1))


def test_the_same_texts_make_the_same_vectors():
    one, other = (ppmi.ppmi_embeddings(texts(), COUNT, width=4) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_texts_of_single_words_have_no_vectors():
    assert not ppmi.ppmi_embeddings(np.array([[5, 0], [6, 0]], "int32"), 8, width=4).any()


def test_a_training_of_lstm_begins_with_them():
    room, _ = registry.find("lstm")
    recipe = ModelSpec.of(room).task.default_recipe().override(validation_examples=56)
    lesson = jobs.training_job(
        room, recipe, 0, "sample", None, None, chosen=["validation_examples"]
    )
    assert lesson.adapting is lesson.examples
    words = training.begin(lesson).get_layer("token_embedding").get_weights()[0]
    known = np.unique(task_of(lesson.identity).data.encode(lesson.examples).inputs)
    assert np.flatnonzero(np.abs(words).max(axis=1)).size > 0.9 * len(known)
    assert words.std() > 0


def test_the_language_model_of_mini_bert_begins_with_them_and_its_classifier_does_not():
    room, _ = registry.find("mini_bert")
    recipe = ModelSpec.of_pretraining(room).task.default_recipe()
    first = jobs.pretraining_job(room, recipe, 0, "sample", chosen=[])
    second = jobs.training_job(
        room, ModelSpec.of(room).task.default_recipe(), 0, "sample", None, None, chosen=[]
    )
    counted, random = (
        training.begin(lesson).get_layer("token_embedding").get_weights()[0]
        for lesson in (first, second)
    )
    asked = task_of(first.identity).data.encode(first.examples).inputs["text_ids"]
    unseen = np.delete(np.arange(len(counted)), np.unique(asked))
    assert (counted[unseen] == 0).all()
    assert counted[np.unique(asked)].std() == pytest.approx(0.045, rel=0.2)
    assert (random != 0).all()


@pytest.mark.full_data
def test_lstm_adapts_to_the_unlabelled_reviews_too_and_not_to_those_that_validate():
    room, _ = registry.find("lstm")
    lesson = jobs.training_job(
        room, ModelSpec.of(room).task.default_recipe(), 0, None, None, None, chosen=None
    )
    unlabelled, labelled = (
        datasets.load("imdb_reviews", name) for name in ("unsupervised", "train")
    )
    assert len(lesson.adapting) == 72_500
    assert lesson.adapting.inputs[-1] == labelled.inputs[22_499]
    assert lesson.adapting.inputs[0] == unlabelled.inputs[0]
    assert lesson.validation.inputs[0] == labelled.inputs[22_500]
