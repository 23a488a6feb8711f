import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src import backend

from keras_fm import pipelines, registry, tasks
from keras_fm.data import character_texts, datasets, examples
from keras_fm.errors import DataError, InvalidInputError, UnknownNameError
from keras_fm.evaluation import evaluation, flops
from keras_fm.exporting import saved_model
from keras_fm.models import building, loading, spec

KNOWN = registry.info("char_lstm").inputs[0].values
PROMPTS = ["ROMEO:", "", "The q", "ñ🙂x", "A long one: shall I compare thee to a summer's day?"]


@pytest.fixture(scope="module")
def model():
    """A small one whose random weights are large, so that its answers differ."""
    room, _ = registry.find("char_lstm")
    keras.utils.set_random_seed(0)
    model = building.build(room, spec.default_spec(room), units=12, width=6)
    model.set_weights([3 * weights for weights in model.get_weights()])
    head = model.get_layer("logits")
    head.set_weights([15 * weights for weights in head.get_weights()])
    return model


@pytest.fixture(scope="module")
def write(model):
    return pipelines.pipeline(model)


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    return saved_model.export(model, tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def served(version):
    return tf.saved_model.load(str(version))


def ids(text):
    return character_texts.encode_characters(
        KNOWN, np.array([ord(character) for character in text])
    )


def probabilities(model, text):
    """Of the next known character after a line that begins with the text; computed plainly."""
    logits = model.predict(ids("\n" + text)[None], verbose=0)[0, -1, 1:].astype("float64")
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def test_the_vocabulary_is_the_trainings_own():
    assert sorted(set(KNOWN)) == KNOWN
    assert len(KNOWN) == 65
    assert "\n" in KNOWN


@pytest.mark.full_data
def test_the_vocabulary_is_found_in_the_train_split():
    train = datasets.load("tiny_shakespeare", "train")
    assert {chr(code) for code in np.unique(train.inputs)} == set(KNOWN)


def test_the_model_is_as_small_as_it_says():
    model = loading.get("char_lstm", weights=None)
    assert 3_400_000 < model.count_params() <= 3_500_000
    # A multiply-add is two, for each weight of the LSTM and the last layer.
    assert flops.count_flops(model) == pytest.approx(2 * 3_440_000, rel=0.05)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_greedy_text_is_the_models_own_argmax(model, write, prompt):
    """Without the loop that carries the state: the whole text anew for each character."""
    expected = ""
    for _ in range(8):
        expected += KNOWN[probabilities(model, prompt + expected).argmax()]
    assert write(prompt, length=8, temperature=0) == [{"text": expected}]


def test_a_text_depends_on_its_own_prompt_and_seed_alone(write):
    together = write(PROMPTS, length=25, temperature=1.0, seed=5)
    for row, prompt in enumerate(PROMPTS):
        assert write(prompt, length=25, temperature=1.0, seed=5 + row) == [together[row]]


def test_a_seed_repeats_and_another_one_does_not(write):
    assert write("ROMEO:", length=40, seed=1) == write(["ROMEO:"], length=40, seed=1)
    assert write("ROMEO:", length=40, seed=1) != write("ROMEO:", length=40, seed=2)


def test_a_longer_text_begins_like_a_shorter_one(write):
    (short,), (long,) = (write("x", length=length) for length in (10, 43))
    assert len(long["text"]) == 43
    assert long["text"].startswith(short["text"])


def test_no_prompts_and_no_length(write):
    assert write([], length=5) == []
    assert write(["a", ""], length=0) == [{"text": ""}, {"text": ""}]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_characters_are_drawn_as_often_as_they_are_probable(model, write, temperature):
    share = probabilities(model, "O") ** (1 / temperature)
    share /= share.sum()
    drawn = [answer["text"] for answer in write(["O"] * 4000, length=1, temperature=temperature)]
    counts = np.array([drawn.count(character) for character in KNOWN])

    def chi_square(share):  # 64 degrees of freedom: above 125 once in a hundred thousand
        return (np.square(counts - 4000 * share) / (4000 * share)).sum()

    assert chi_square(share) < 125
    assert chi_square(np.full(65, 1 / 65)) > 250


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": -1}, "length is a whole number from 0 .* received -1"),
        ({"length": 2.5}, "length is a whole number"),
        ({"length": 4001}, "length is a whole number from 0 to 4000; received 4001"),
        ({"temperature": -0.1}, "temperature is a number from 0.0 on; received -0.1"),
        ({"temperature": float("nan")}, "temperature is a number"),
        ({"seed": -1}, "seed is a whole number"),
        ({"seed": True}, "seed is a whole number"),
    ],
)
def test_options_that_do_not_fit(write, options, message):
    with pytest.raises(InvalidInputError, match=message):
        write("x", **options)


def test_what_is_no_prompt(write):
    with pytest.raises(InvalidInputError, match="a prompt is a string; received int"):
        write(["x", 3])
    with pytest.raises(UnknownNameError, match="no option 'lenght'"):
        write("x", lenght=3)


def test_measuring_is_the_mean_of_each_characters_bits(model):
    text = datasets.sample("tiny_shakespeare").subset(slice(700), "700 characters")
    numbers = np.append(ids(map(chr, text.inputs)), ids([chr(text.targets[-1])]))
    logits = model.predict(numbers[None, :-1], verbose=0)[0].astype("float64")
    likely = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -likely[np.arange(700), numbers[1:]].mean() / np.log(2)
    scores = tasks.task_of(model).measure(model, text)
    assert scores["bits_per_character"] == pytest.approx(expected, abs=1e-4)
    assert scores["accuracy"] == pytest.approx((likely.argmax(-1) == numbers[1:]).mean())


def test_the_baseline_is_how_often_each_character_comes(model):
    learned, asked = (
        examples.character_examples("xaaab", ""),
        examples.character_examples("xab", ""),
    )
    scores = tasks.task_of(model).baseline(learned, asked)
    expected = -(np.log2(4 / 70) + np.log2(2 / 70)) / 2
    assert scores["bits_per_character"] == pytest.approx(expected)
    assert scores["accuracy"] == 0.5


def test_arrays_that_are_no_text(model):
    images = datasets.sample("cifar10")
    with pytest.raises(DataError, match="expected a text, as keras_fm"):
        evaluation.evaluate(model, data=images)


def test_signatures_have_names_dtypes_and_shapes(served):
    def interface(signature):
        given = signature.structured_input_signature[1]
        return [
            {name: (spec.dtype, spec.shape.as_list()) for name, spec in specs.items()}
            for specs in (given, signature.structured_outputs)
        ]

    assert set(served.signatures) == {"serving_default", "generate"}
    assert interface(served.signatures["serving_default"]) == [
        {"text": (tf.string, [None])},
        {
            "probabilities": (tf.float32, [None, 65]),
            "label": (tf.string, [None]),
            "bits_per_character": (tf.float32, [None]),
        },
    ]
    assert interface(served.signatures["generate"]) == [
        {
            "prompt": (tf.string, [None]),
            "length": (tf.int32, [None]),
            "temperature": (tf.float32, [None]),
            "seed": (tf.int32, [None]),
        },
        {"text": (tf.string, [None])},
    ]


def test_the_export_writes_what_the_pipeline_writes(served, write):
    expected = [answer["text"] for answer in write(PROMPTS, length=30, temperature=1.0, seed=7)]
    assert helpers.generate(served, PROMPTS, seed=[7, 8, 9, 10, 11]) == expected
    assert helpers.generate(served, PROMPTS[3:4], seed=10) == expected[3:4]


def test_rows_have_lengths_and_temperatures_of_their_own(served):
    whole = helpers.generate(served, ["O", "O"], length=20, temperature=[0.0, 1.5])
    assert whole[0] != whole[1]
    parts = helpers.generate(served, ["O", "O"], length=[3, 20], temperature=[0.0, 1.5])
    assert parts == [whole[0][:3], whole[1]]
    assert helpers.generate(served, [], length=[], temperature=[], seed=[]) == []


def test_the_export_foresees_the_next_character(served, model):
    answers = served.signatures["serving_default"](text=tf.constant(PROMPTS))
    for row, prompt in enumerate(PROMPTS):
        expected = probabilities(model, prompt)
        np.testing.assert_allclose(answers["probabilities"][row], expected, atol=1e-5)
        assert answers["label"].numpy()[row].decode() == KNOWN[expected.argmax()]


def test_the_export_measures_a_text(served, model):
    answers = served.signatures["serving_default"](text=tf.constant(["", "ROMEO:\nO", "t"]))
    measured = tasks.task_of(model).measure(model, examples.character_examples("\nROMEO:\nO", ""))
    empty, text, _ = answers["bits_per_character"].numpy()
    assert empty == 0
    assert text == pytest.approx(measured["bits_per_character"], abs=1e-4)


def test_bytes_that_are_no_utf8_count_as_unknown(served):
    broken, unknown = helpers.generate(served, [b"a\xffb", "añb"], seed=1)
    assert broken == unknown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": -3}, "length, row 0: expected 0 to 4,000; received -3"),
        ({"length": [2, 4001]}, "length, row 1: expected 0 to 4,000; received 4001"),
        ({"temperature": -1.0}, "temperature, row 0: expected 0.0 or above"),
        ({"temperature": float("nan")}, "temperature, row 0: expected 0.0 or above; received nan"),
        ({"seed": -1}, "seed, row 0: expected 0 or above; received -1"),
    ],
)
def test_the_export_refuses_what_does_not_fit(served, options, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        helpers.generate(served, ["x", "y"], **options)


def test_no_text_is_longer_than_a_server_has_time_for(served, write):
    long = "x" * 4001
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="prompt, row 1: expected at most 4,000"
    ):
        helpers.generate(served, ["y", long])
    with pytest.raises(tf.errors.InvalidArgumentError, match="text, row 0: expected at most 4,000"):
        served.signatures["serving_default"](text=tf.constant([long]))
    with pytest.raises(InvalidInputError, match="a prompt has at most 4,000 characters; received"):
        write(long)


def test_the_vocabulary_is_an_asset(version):
    lines = (version / "assets" / "characters.txt").read_text().splitlines()
    assert [chr(int(line.split("\t")[0])) for line in lines] == KNOWN
    assert lines[0] == "10\t'\\n'"


def test_the_loader_of_tf_serving_takes_it(version, served):
    given = {"prompt": ["ROMEO:", "x"], "length": [9, 4], "temperature": [1, 1], "seed": [3, 4]}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        signature = loaded.signature_def["generate"]
        feeds = {signature.inputs[name].name: value for name, value in given.items()}
        answers = session.run(signature.outputs["text"].name, feeds)
    expected = helpers.generate(served, given["prompt"], [9, 4], 1.0, [3, 4])
    assert [text.decode() for text in answers] == expected


def test_only_stock_operations_are_used(version):
    used = helpers.operations(version)
    assert "StatelessWhile" in used or "While" in used
    assert not [name for name in used if "PyFunc" in name or "Cudnn" in name]


def test_nothing_asks_for_cudnn(model, tmp_path, monkeypatch):
    """On a machine with a GPU, Keras would take its operation, and a server without one fail."""

    def cudnn(*arguments, **options):
        raise AssertionError("asked for cuDNN")

    monkeypatch.setattr(backend, "lstm", cudnn)
    with pytest.raises(AssertionError, match="asked for cuDNN"):
        keras.layers.LSTM(3)(np.zeros((1, 2, 3), "float32"))  # as it would without our doing
    for endpoint in tasks.task_of(model).endpoints(model, tmp_path).by_name.values():
        tf.function(endpoint.answer, input_signature=endpoint.inputs).get_concrete_function()
