import functools

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from keras.src import backend

from keras_fm import pipelines, registry
from keras_fm.data import character_examples, character_texts, datasets
from keras_fm.errors import DataError, InvalidInputError, UnknownNameError
from keras_fm.evaluation import evaluation, flops
from keras_fm.layers import TransformerDecoder
from keras_fm.models import building, loading
from keras_fm.models.spec import ModelSpec, attach_spec, spec_of
from keras_fm.tasks.base import task_of

CHARACTERS = registry.info("char_lstm").inputs[0].categories
PROMPTS = ["ROMEO:", "", "The q", "ñ🙂x", "A long one: shall I compare thee to a summer's day?"]


def recurrent_model():
    """A small char_lstm with large random weights, whose predictions depend on its state."""
    package, _ = registry.find("char_lstm")
    keras.utils.set_random_seed(0)
    model = building.build(ModelSpec.of(package), units=12, width=6)
    model.set_weights([3 * weights for weights in model.get_weights()])
    head = model.get_layer("logits")
    head.set_weights([15 * weights for weights in head.get_weights()])
    return model


def decoder_model():
    """A small GPT, whose cache is shorter than the texts."""
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    x = layers.Embedding(1 + len(CHARACTERS), 8, name="token_embedding")(text_ids)
    for _ in range(2):
        x = TransformerDecoder(num_heads=2, intermediate_dim=12, sliding_window=6)(x)
    x = layers.LayerNormalization(name="embedding")(x)
    logits = layers.Dense(1 + len(CHARACTERS), dtype="float32", name="logits")(x)
    model = keras.Model(text_ids, logits, name="char_gpt")
    random = np.random.default_rng(2)
    model.set_weights([random.normal(size=weights.shape) for weights in model.get_weights()])
    return attach_spec(model, spec_of(recurrent_model()))


MODELS = [recurrent_model, decoder_model]


@pytest.fixture(scope="module", params=MODELS, ids=lambda build: build.__name__)
def model(request):
    return request.param()


@pytest.fixture(scope="module")
def generate(model):
    return pipelines.pipeline(model)


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    return helpers.export(model, tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def served(version):
    return tf.saved_model.load(str(version))


def character_ids(text):
    return character_texts.encode_characters(
        CHARACTERS, np.array([ord(character) for character in text])
    )


@functools.cache
def forward(model):
    """The model as a graph for texts of any length, which is traced once."""
    return tf.function(model, input_signature=[tf.TensorSpec((1, None), tf.int32)])


def probabilities(model, text):
    """Of the next character after a line that begins with the text, by the model alone."""
    logits = forward(model)(character_ids("\n" + text)[None])[0, -1, 1:].numpy().astype("float64")
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def test_the_vocabulary_is_sorted_and_has_65_characters():
    assert sorted(set(CHARACTERS)) == CHARACTERS
    assert len(CHARACTERS) == 65
    assert "\n" in CHARACTERS


@pytest.mark.full_data
def test_the_vocabulary_has_the_characters_of_the_train_split():
    train = datasets.load("tiny_shakespeare", "train")
    assert {chr(code) for code in np.unique(train.inputs)} == set(CHARACTERS)


def test_parameters_and_flops_are_those_of_its_docstring():
    model = loading.get("char_lstm", weights=None)
    assert 3_400_000 < model.count_params() <= 3_500_000
    # A multiply-add is two, for each weight of the LSTM and the last layer.
    assert flops.count_flops(model) == pytest.approx(2 * 3_440_000, rel=0.05)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy_text_is_the_most_probable_character_of_each_step(model, generate, prompt):
    """Computed without a loop over states: from all of the text for each character."""
    expected = ""
    for _ in range(8):
        expected += CHARACTERS[probabilities(model, prompt + expected).argmax()]
    assert generate(prompt, length=8, temperature=0) == [{"text": expected}]


def test_a_text_depends_on_its_prompt_and_seed_alone(generate):
    batch = generate(PROMPTS, length=25, temperature=1.0, seed=5)
    for row, prompt in enumerate(PROMPTS):
        assert generate(prompt, length=25, temperature=1.0, seed=5 + row) == [batch[row]]


def test_a_seed_repeats_a_text_and_another_seed_does_not(generate):
    assert generate("ROMEO:", length=40, seed=1) == generate(["ROMEO:"], length=40, seed=1)
    assert generate("ROMEO:", length=40, seed=1) != generate("ROMEO:", length=40, seed=2)


def test_a_longer_text_begins_like_a_shorter_one(generate):
    (short,), (long,) = (generate("x", length=length) for length in (10, 43))
    assert len(long["text"]) == 43
    assert long["text"].startswith(short["text"])


def test_a_length_of_0_generates_nothing(generate):
    assert generate(["a", ""], length=0) == [{"text": ""}, {"text": ""}]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_characters_are_sampled_by_their_probabilities(model, generate, temperature):
    expected = probabilities(model, "O") ** (1 / temperature)
    expected /= expected.sum()
    sampled = [
        prediction["text"]
        for prediction in generate(["O"] * 4000, length=1, temperature=temperature)
    ]
    counts = np.array([sampled.count(character) for character in CHARACTERS])

    def chi_square(expected):  # 64 degrees of freedom: above 125 once in a hundred thousand
        return (np.square(counts - 4000 * expected) / (4000 * expected)).sum()

    assert chi_square(expected) < 125
    assert chi_square(np.full(65, 1 / 65)) > 250


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": -1}, "length is a whole number from 0 .* received -1"),
        ({"length": 2.5}, "length is a whole number"),
        ({"length": 4001}, "length is a whole number from 0 to 4000; received 4001"),
        ({"temperature": -0.1}, "temperature is a number from 0.0; received -0.1"),
        ({"temperature": float("nan")}, "temperature is a number"),
        ({"seed": -1}, "seed is a whole number"),
        ({"seed": True}, "seed is a whole number"),
    ],
)
def test_options_are_checked(generate, options, message):
    with pytest.raises(InvalidInputError, match=message):
        generate("x", **options)


def test_prompts_and_option_names_are_checked(generate):
    with pytest.raises(InvalidInputError, match=r"expected one text .* int 3 at position 1"):
        generate(["x", 3])
    with pytest.raises(InvalidInputError, match="received an empty list"):
        generate([])
    with pytest.raises(UnknownNameError, match="no option 'lenght'"):
        generate("x", lenght=3)


def test_bits_per_character_is_the_mean_over_all_characters(model):
    text = datasets.sample("tiny_shakespeare").subset(slice(700), "700 characters")
    token_ids = np.append(
        character_ids(map(chr, text.inputs)), character_ids([chr(text.targets[-1])])
    )
    logits = model.predict(token_ids[None, :-1], verbose=0)[0].astype("float64")
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -log_probabilities[np.arange(700), token_ids[1:]].mean() / np.log(2)
    scores = task_of(model).objective.evaluate(model, text)
    assert scores["bits_per_character"] == pytest.approx(expected, abs=1e-4)
    assert scores["accuracy"] == pytest.approx(
        (log_probabilities.argmax(-1) == token_ids[1:]).mean()
    )


def test_a_text_is_of_the_model_that_is_given(model):
    """The graph that generates is kept for the next call; an epoch's model is another's."""
    predictor = task_of(model).predictor
    other = keras.models.clone_model(model)
    attach_spec(other, spec_of(model))
    kernel, bias = other.get_layer("logits").get_weights()
    other.get_layer("logits").set_weights([0 * kernel, 9.0 * (np.arange(len(bias)) == 5)])
    texts = [
        predictor.predict_raw(x, "A", length=4, temperature=0)[0]["text"] for x in (model, other)
    ]
    assert texts[0] != texts[1] == CHARACTERS[4] * 4


def test_the_training_measures_what_the_evaluation_does(model):
    """On overlapping windows, where each character counts once."""
    text = datasets.sample("tiny_shakespeare").subset(slice(1300), "1300 characters")
    task = task_of(model)
    trainer = keras.Model(model.inputs, model.outputs)
    trainer.compile("sgd", **task.objective.compile_options(task.default_recipe()))
    measured = trainer.evaluate(task.data.validation_dataset(text), verbose=0, return_dict=True)
    expected = task.objective.evaluate(model, text)
    for name in ("bits_per_character", "accuracy"):
        assert measured[name] == pytest.approx(expected[name], rel=1e-4)
    assert measured["loss"] == pytest.approx(expected["bits_per_character"] * np.log(2), rel=1e-4)


def test_the_baseline_is_the_frequency_of_each_character(model):
    training, validation = (character_examples(text, "") for text in ("xaaab", "xab"))
    scores = task_of(model).objective.baseline(training, validation)
    expected = -(np.log2(4 / 70) + np.log2(2 / 70)) / 2
    assert scores["bits_per_character"] == pytest.approx(expected)
    assert scores["accuracy"] == 0.5


def test_examples_of_another_kind_are_an_error(model):
    images = datasets.sample("cifar10")
    with pytest.raises(
        DataError, match=r"expected characters, as from keras_fm\.data\.character_examples"
    ):
        evaluation.evaluate(model, data=images)


def test_signatures_have_names_dtypes_and_shapes(served):
    def interface(signature):
        inputs = signature.structured_input_signature[1]
        return [
            {name: (spec.dtype, spec.shape.as_list()) for name, spec in specs.items()}
            for specs in (inputs, signature.structured_outputs)
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


def test_the_export_generates_what_the_pipeline_generates(served, generate):
    expected = [
        prediction["text"] for prediction in generate(PROMPTS, length=30, temperature=1.0, seed=7)
    ]
    assert helpers.generate(served, PROMPTS, seed=[7, 8, 9, 10, 11]) == expected
    assert helpers.generate(served, PROMPTS[3:4], seed=10) == expected[3:4]


def test_each_row_can_have_another_length_and_temperature(served):
    greedy, sampled = helpers.generate(served, ["O", "O"], length=20, temperature=[0.0, 1.5])
    assert greedy != sampled
    texts = helpers.generate(served, ["O", "O"], length=[3, 20], temperature=[0.0, 1.5])
    assert texts == [greedy[:3], sampled]
    assert helpers.generate(served, [], length=[], temperature=[], seed=[]) == []


def test_the_export_predicts_the_next_character(served, model):
    outputs = served.signatures["serving_default"](text=tf.constant(PROMPTS))
    for row, prompt in enumerate(PROMPTS):
        expected = probabilities(model, prompt)
        np.testing.assert_allclose(outputs["probabilities"][row], expected, atol=1e-5)
        assert outputs["label"].numpy()[row].decode() == CHARACTERS[expected.argmax()]


def test_the_export_scores_a_text(served, model):
    outputs = served.signatures["serving_default"](text=tf.constant(["", "ROMEO:\nO", "t"]))
    metrics = task_of(model).objective.evaluate(model, character_examples("\nROMEO:\nO", ""))
    empty, text, _ = outputs["bits_per_character"].numpy()
    assert empty == 0
    assert text == pytest.approx(metrics["bits_per_character"], abs=1e-4)


def test_invalid_utf8_is_an_unknown_character(served):
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
def test_the_export_checks_options(served, options, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        helpers.generate(served, ["x", "y"], **options)


def test_texts_and_prompts_have_a_maximum_length(served, generate):
    long = "x" * 4001
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="prompt, row 1: expected at most 4,000"
    ):
        helpers.generate(served, ["y", long])
    with pytest.raises(tf.errors.InvalidArgumentError, match="text, row 0: expected at most 4,000"):
        served.signatures["serving_default"](text=tf.constant([long]))
    with pytest.raises(InvalidInputError, match="a prompt has at most 4,000 characters; received"):
        generate(long)


def test_the_vocabulary_is_an_asset(version):
    lines = (version / "assets" / "characters.txt").read_text().splitlines()
    assert [chr(int(line.split("\t")[0])) for line in lines] == CHARACTERS
    assert lines[0] == "10\t'\\n'"


def test_tf_servings_loader_generates_the_same(version, served):
    inputs = {"prompt": ["ROMEO:", "x"], "length": [9, 4], "temperature": [1, 1], "seed": [3, 4]}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        signature = loaded.signature_def["generate"]
        feeds = {signature.inputs[name].name: value for name, value in inputs.items()}
        texts = session.run(signature.outputs["text"].name, feeds)
    expected = helpers.generate(served, inputs["prompt"], [9, 4], 1.0, [3, 4])
    assert [text.decode() for text in texts] == expected


def test_the_graph_has_stock_operations_alone(version):
    used = helpers.operations(version)
    assert "StatelessWhile" in used or "While" in used
    assert not [name for name in used if "PyFunc" in name or "Cudnn" in name]


@pytest.mark.thorough
def test_exports_do_not_use_cudnn(model, tmp_path, monkeypatch):
    """On a machine with a GPU, Keras would take its operation, and a server without one fail."""

    def cudnn(*arguments, **options):
        raise AssertionError("asked for cuDNN")

    monkeypatch.setattr(backend, "lstm", cudnn)
    with pytest.raises(AssertionError, match="asked for cuDNN"):
        keras.layers.LSTM(3)(np.zeros((1, 2, 3), "float32"))  # as Keras' own layer would
    for signature in task_of(model).serving.signatures(model, tmp_path).by_name.values():
        tf.function(signature.fn, input_signature=signature.inputs).get_concrete_function()
