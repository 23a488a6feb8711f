import io
import json

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_fm import cli, pipelines, registry
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, InvalidInputError, SchemaError, UnknownNameError
from keras_fm.evaluation import evaluation, verification
from keras_fm.exporting import saved_model
from keras_fm.models import loading
from keras_fm.registry import packages
from keras_fm.tasks import image_generation
from keras_fm.tasks.base import task_of
from keras_fm.training import fine_tuning, training

pytestmark = pytest.mark.usefixtures("tiny_gan")


@pytest.fixture
def model():
    return loading.get("tiny_gan", weights=None)


@pytest.fixture
def small(monkeypatch):
    """Measures on few images, and counts the sample as enough real ones."""
    monkeypatch.setattr(image_generation, "NUM_GENERATED", 600)
    monkeypatch.setattr(image_generation, "NUM_COMPARED", 250)
    monkeypatch.setattr(image_generation, "MIN_EXAMPLES", 256)


def test_answers_are_images_of_the_labels_in_order(model):
    answers = pipelines.pipeline(model)(class_names=["ship", "cat", "ship"], seed=5)
    assert [answer["label"] for answer in answers] == ["ship", "cat", "ship"]
    assert [answer["seed"] for answer in answers] == [5, 6, 7]
    for answer in answers:
        assert (answer["image"].shape, answer["image"].dtype) == ((32, 32, 3), np.uint8)
    assert not np.array_equal(answers[0]["image"], answers[2]["image"])


def test_an_image_is_its_labels_and_seeds_alone(model):
    draw = pipelines.pipeline(model)
    third = draw(["cat", "ship", "dog"], seed=3)[2]["image"]
    np.testing.assert_array_equal(draw("dog", seed=5)[0]["image"], third)
    assert not np.array_equal(draw("dog", seed=6)[0]["image"], third)
    assert not np.array_equal(draw("cat", seed=5)[0]["image"], third)
    np.testing.assert_array_equal(draw(["dog"])[0]["image"], draw("dog", seed=0)[0]["image"])


@pytest.mark.parametrize(
    ("labels", "options", "error", "sentence"),
    [
        (["shipp"], {}, UnknownNameError, "no label 'shipp'. Did you mean 'ship'"),
        ([], {}, InvalidInputError, "at least one label"),
        ("ship", {"seed": -1}, InvalidInputError, "received -1"),
        ("ship", {"seed": "x"}, InvalidInputError, "received 'x'"),
        ("ship", {"seeds": 1}, UnknownNameError, "no option 'seeds'. Did you mean 'seed'"),
    ],
)
def test_what_can_not_be_drawn_is_named(model, labels, options, error, sentence):
    with pytest.raises(error, match=sentence):
        pipelines.pipeline(model)(labels, **options)


def test_latents_are_standard_normal_and_never_change():
    drawn = image_generation.latents(range(500), 64).numpy()
    assert abs(drawn.mean()) < 0.02
    assert drawn.std() == pytest.approx(1, abs=0.02)
    assert np.abs(np.corrcoef(drawn[:50]) - np.eye(50)).max() < 0.6
    # An export of last year and one of this year draw the same image for the same seed.
    seventh = image_generation.latents([7], 2).numpy()
    np.testing.assert_allclose(seventh, [[-0.67417276, -0.35869256]], atol=1e-6)


@pytest.fixture
def version(model, tmp_path):
    return saved_model.export(model, tmp_path / "export")


def test_the_export_draws_what_the_pipeline_draws(model, version):
    expected = pipelines.pipeline(model)(["frog", "ship"], seed=11)
    served = tf.saved_model.load(str(version))
    labels, seeds = tf.constant(["frog", "ship"]), tf.constant([11, 12], tf.int64)
    files = served.signatures["sample"](label=labels, seed=seeds)["image_bytes"].numpy()
    latent = image_generation.latents([11, 12], 6)
    images = served.signatures["serving_default"](label=labels, latent=latent)["image"].numpy()
    for answer, file, image in zip(expected, files, images, strict=True):
        np.testing.assert_array_equal(Image.open(io.BytesIO(file)), answer["image"])
        np.testing.assert_array_equal(image, answer["image"])
    about = json.loads((version / "keras_fm.json").read_text())
    assert about["signatures"] == ["serving_default", "sample"]
    assert about["parity"] == {"largest_difference_of_image": 0, "examples": 10}


def test_the_loader_of_tf_serving_takes_it(model, version):
    """As in test_exporting; an unknown label is an error there, too."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        signature = loaded.signature_def["sample"]
        assert {name: info.dtype for name, info in signature.inputs.items()} == {
            "label": tf.string, "seed": tf.int64,
        }  # fmt: skip
        assert set(signature.outputs) == {"image_bytes"}

        def ask(label):
            given = {signature.inputs["label"].name: [label], signature.inputs["seed"].name: [4]}
            return session.run(signature.outputs["image_bytes"].name, given)

        (file,) = ask("deer")
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected one of airplane"):
            ask("deerr")
    answer = pipelines.pipeline(model)("deer", seed=4)[0]
    np.testing.assert_array_equal(Image.open(io.BytesIO(file)), answer["image"])


def test_a_generator_that_draws_the_real_ones_is_near_and_diverse(model, small, monkeypatch):
    real = datasets.sample("cifar10")
    places = [np.flatnonzero(real.targets == label) for label in range(10)]

    def copy(self, model, labels):
        seen = np.zeros(10, int)
        chosen = []
        for label in labels:
            chosen.append(places[label][seen[label] % len(places[label])])
            seen[label] += 1
        return real.inputs[chosen]

    drawn = evaluation.evaluate(model, split="sample")
    monkeypatch.setattr(image_generation.ImageGeneration, "draw", copy)
    copied = evaluation.evaluate(model, split="sample")
    assert copied["frechet_distance"] < 0.1 * drawn["frechet_distance"]
    assert copied["min_class_variance_ratio"] > 0.9


def test_a_class_that_is_one_image_has_no_diversity(model, small, monkeypatch):
    real = datasets.sample("cifar10")

    def collapse(self, model, labels):
        images = real.inputs[np.arange(len(labels)) % 256].copy()
        images[labels == 3] = real.inputs[0]
        return images

    monkeypatch.setattr(image_generation.ImageGeneration, "draw", collapse)
    assert evaluation.evaluate(model, split="sample")["min_class_variance_ratio"] == pytest.approx(
        0, abs=1e-9
    )


def test_slices_are_of_the_first_metric(model, small, monkeypatch):
    scores = evaluation.evaluate(model, split="sample", slice_by="label")
    assert next(iter(scores)) == "classification_accuracy_score"
    counts = np.bincount(datasets.sample("cifar10").targets)
    weighted = np.dot(list(scores["slices"].values()), counts) / 256
    assert weighted == pytest.approx(scores["classification_accuracy_score"])
    monkeypatch.setattr(image_generation, "MIN_EXAMPLES", 257)
    scores = evaluation.evaluate(model, split="sample", slice_by="label")
    assert next(iter(scores)) == "evaluator_accuracy"
    assert np.mean(list(scores["slices"].values())) == pytest.approx(scores["evaluator_accuracy"])


def test_the_floor_is_real_images_against_real_ones(model, small, monkeypatch):
    sample = datasets.sample("cifar10")
    monkeypatch.setattr(datasets, "is_prepared", lambda dataset: True)
    monkeypatch.setattr(
        datasets, "load", lambda dataset, split: sample if split == "sample" else
        Examples(sample.inputs[::2].repeat(2, axis=0), sample.targets, split),
    )  # fmt: skip
    scores = evaluation.evaluate(model, split="sample")
    assert 0 < scores["frechet_distance_real"] < 0.3 * scores["frechet_distance"]


def test_a_training_leaves_pictures_of_each_epoch(small, tmp_path):
    run = training.train("tiny_gan", data="sample", run_dir=tmp_path / "run", epochs=2)
    events = EventAccumulator(str(run.path / "logs" / "train"), {"tensors": 0})
    events.Reload()
    assert [event.step for event in events.Tensors("generated_ratio")] == [0, 1]
    assert {"augmented_inputs", "images_per_second", "recipe"} <= set(events.Tags()["tensors"])
    assert set(run.history) == {"epoch", "seconds", "generator_loss", "discriminator_loss"}
    assert set(run.metrics) == {
        "evaluator_accuracy",
        "frechet_distance",
        "min_class_variance_ratio",
    }
    assert run.baseline == {}
    assert helpers.same_weights(loading.get("tiny_gan", weights=run.path / "model.weights.h5"),
                                run.model)  # fmt: skip


def test_a_judge_that_can_not_be_had_is_said_before_the_training(tiny_gan, tmp_path):
    entry = tiny_gan / "entry.toml"
    entry.write_text(entry.read_text().replace('judge = "tiny_net"', 'judge = "tiny_gan"'))
    packages.cache_clear()
    with pytest.raises(UnknownNameError, match="'tiny_gan' has no pretrained weights"):
        training.train("tiny_gan", data="sample", run_dir=tmp_path / "run")
    assert not any(tmp_path.glob("run"))


@pytest.mark.parametrize("field", ["judge = ", "labels = ["])
def test_an_entry_names_judge_and_labels(tiny_gan, field):
    entry = tiny_gan / "entry.toml"
    text = entry.read_text()
    start = text.index(field)
    end = text.index("]\n", start) + 2 if "[" in field else text.index("\n", start)
    entry.write_text(text[:start] + text[end:])
    packages.cache_clear()
    with pytest.raises(SchemaError, match="'output', 'judge' and 'labels'"):
        registry.info("tiny_gan")


def test_images_of_another_size_are_an_error(model):
    small = Examples(np.zeros((3, 28, 28, 3), np.uint8), np.zeros(3, int), "small ones")
    with pytest.raises(DataError, match=r"small ones.*\[3, 28, 28, 3\]"):
        evaluation.evaluate(model, data=small)


def test_a_generator_can_not_be_given_other_labels(model, tmp_path):
    with pytest.raises(InvalidInputError, match="is no classifier"):
        loading.get("tiny_gan", weights=None, num_classes=3)
    with pytest.raises(InvalidInputError, match="is no classifier"):
        fine_tuning.fine_tune(
            model, datasets.sample("cifar10"), class_names=["a", "b"], run_dir=tmp_path / "run"
        )


def test_its_record_is_verified_on_the_sample(tiny_gan, no_tfds, monkeypatch):
    monkeypatch.setattr(image_generation, "NUM_COMPARED", 100)
    names = [
        "classification_accuracy_score",
        "evaluator_accuracy",
        "frechet_distance",
        "min_class_variance_ratio",
    ]
    claims = {
        "metrics": dict.fromkeys(names, 0.5),
        "seeds.metrics": {name: [0.5] for name in names},
    }
    helpers.write_weights(tiny_gan, **claims)
    report = verification.verify("tiny_gan")
    assert report.passed, str(report)
    assert [check.claim for check in report.checks][-3:] == [
        "labels that the judge sees", "distance of features", "diversity of the poorest class",
    ]  # fmt: skip


def test_the_card_shows_the_nearest_training_images(model, monkeypatch):
    sample = datasets.sample("cifar10")
    task = task_of(model)
    monkeypatch.setattr(image_generation.ImageGeneration, "load", lambda self, split: sample)
    drawn = task.summaries.card_images(model)
    assert drawn["generated_ratio"].shape == (640, 640, 3)
    assert drawn["nearest"].shape == (20 * 64, 6 * 64, 3)
    np.testing.assert_array_equal(drawn["nearest"][:64, :64], drawn["generated_ratio"][:64, :64])
    found = image_generation.nearest(sample.inputs[9], sample.inputs, 2)
    assert found[0] == 9
    beside = drawn["nearest"][:64:2, 64:128:2]
    first = pipelines.pipeline(model)("airplane", seed=0)[0]["image"].astype(int)
    differences = np.square(sample.inputs.astype(int) - first).sum(axis=(1, 2, 3))
    np.testing.assert_array_equal(beside, sample.inputs[differences.argmin()])


def test_info_says_what_it_makes_and_who_judges_it(capsys):
    assert cli.main(["info", "tiny_gan"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "output image uint8 [32, 32, 3], RGB, 0..255; judged by tiny_net" in shown


def test_predict_writes_files_and_never_over_one(capsys, tmp_path, monkeypatch):
    def loaded(name):
        keras.utils.set_random_seed(0)
        return loading.get("tiny_gan", weights=None)

    monkeypatch.setattr(pipelines.runs, "as_model", loaded)
    command = ["predict", "tiny_gan", "ship", "cat", "--seed", "4", "--out", str(tmp_path / "out")]
    assert cli.main(command) == 0
    shown = capsys.readouterr().out.splitlines()
    files = [tmp_path / "out" / name for name in ("ship-4.png", "cat-5.png")]
    assert shown == [f"ship: {files[0]}", f"cat: {files[1]}"]
    with Image.open(files[1]) as picture:
        assert picture.size == (32, 32)
    before = helpers.snapshot(tmp_path)
    assert cli.main([*command[:3], "--seed", "4", "--out", str(tmp_path / "out")]) == 2
    assert "ship-4.png exists" in capsys.readouterr().err
    assert helpers.snapshot(tmp_path) == before
    monkeypatch.chdir(tmp_path / "out")
    assert cli.main(["predict", "tiny_gan", "ship", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"input": "ship", "label": "ship", "seed": 0, "file": "ship-0.png"}
    ]
