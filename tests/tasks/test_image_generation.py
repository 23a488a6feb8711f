import io
import json

import helpers
import keras
import numpy as np
import pytest
import tensorboard_logs
import tensorflow as tf
import tiny_gan as tiny_gan_package
from PIL import Image

from keras_fm import cli, pipelines, registry
from keras_fm.data import datasets
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, InvalidInputError, SchemaError, UnknownNameError
from keras_fm.evaluation import evaluation, generator_evaluation, verification
from keras_fm.exporting import saved_model
from keras_fm.models import loading
from keras_fm.models.lookup import NamedModel
from keras_fm.tasks.base import task_of
from keras_fm.tasks.image_generation import data, objective, predict, summaries
from keras_fm.training import fine_tuning, training

pytestmark = pytest.mark.usefixtures("tiny_gan")


@pytest.fixture(scope="module")
def tiny_gan(module_install):
    return tiny_gan_package.install(module_install)


@pytest.fixture
def entry_file(tiny_gan):
    """The entry of `tiny_gan`, for a test to change."""
    file = tiny_gan / "entry.toml"
    text = file.read_text()
    yield file
    file.write_text(text)
    registry.clear_cache()


@pytest.fixture(scope="module")
def model(tiny_gan):
    return loading.get("tiny_gan", weights=None)


@pytest.fixture
def few_images(monkeypatch):
    """Few generated images; the sample has enough real ones to train a classifier for."""
    monkeypatch.setattr(objective, "NUM_GENERATED", 600)
    monkeypatch.setattr(objective, "NUM_COMPARED", 250)
    monkeypatch.setattr(objective, "MIN_EXAMPLES", 256)


def test_the_pipeline_generates_an_image_for_each_label(model):
    predictions = pipelines.pipeline(model)(["ship", "cat", "ship"], seed=5)
    assert [prediction["label"] for prediction in predictions] == ["ship", "cat", "ship"]
    assert [prediction["seed"] for prediction in predictions] == [5, 6, 7]
    for prediction in predictions:
        image = prediction["image"]
        assert (image.shape, image.dtype) == ((32, 32, 3), np.uint8)
    assert not np.array_equal(predictions[0]["image"], predictions[2]["image"])


def test_an_image_depends_on_its_label_and_seed_alone(model):
    generate = pipelines.pipeline(model)
    third = generate(["cat", "ship", "dog"], seed=3)[2]["image"]
    np.testing.assert_array_equal(generate("dog", seed=5)[0]["image"], third)
    assert not np.array_equal(generate("dog", seed=6)[0]["image"], third)
    assert not np.array_equal(generate("cat", seed=5)[0]["image"], third)
    np.testing.assert_array_equal(
        generate(["dog"])[0]["image"], generate("dog", seed=0)[0]["image"]
    )


@pytest.mark.parametrize(
    ("labels", "options", "error", "message"),
    [
        (["shipp"], {}, UnknownNameError, "no label 'shipp'. Did you mean 'ship'"),
        ([], {}, InvalidInputError, "received an empty list"),
        ("ship", {"seed": -1}, InvalidInputError, "received -1"),
        ("ship", {"seed": "x"}, InvalidInputError, "received 'x'"),
        ("ship", {"seeds": 1}, UnknownNameError, "no option 'seeds'. Did you mean 'seed'"),
    ],
)
def test_labels_and_options_are_checked(model, labels, options, error, message):
    with pytest.raises(error, match=message):
        pipelines.pipeline(model)(labels, **options)


def test_pixels_are_rounded_and_clipped():
    values = np.array([-3.0, 0.4, 0.6, 254.7, 300.0])
    assert data.to_uint8(values).numpy().tolist() == [0, 0, 1, 255, 255]


def test_latents_are_standard_normal_and_reproducible():
    latents = np.asarray(predict._sample_latents(np.arange(500), 64))
    assert abs(latents.mean()) < 0.02
    assert latents.std() == pytest.approx(1, abs=0.02)
    assert np.abs(np.corrcoef(latents[:50]) - np.eye(50)).max() < 0.6
    # An export of last year and one of this year generate the same image for the same seed.
    expected = [[-0.67417276, -0.35869256]]
    np.testing.assert_allclose(data.sample_latents([7], 2), expected, atol=1e-6)


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    return saved_model.export(model, tmp_path_factory.mktemp("export"), warmup=False)


def assert_same_but_for_rounding(image, other):
    """A pixel near a half may be rounded up by one graph and down by another."""
    difference = np.abs(np.asarray(image, int) - np.asarray(other, int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_the_export_generates_what_the_pipeline_generates(model, version):
    predictions = pipelines.pipeline(model)(["frog", "ship"], seed=11)
    served = tf.saved_model.load(str(version))
    labels, seeds = tf.constant(["frog", "ship"]), tf.constant([11, 12], tf.int64)
    files = served.signatures["sample"](label=labels, seed=seeds)["image_bytes"].numpy()
    latent = data.sample_latents([11, 12], 6)
    images = served.signatures["serving_default"](label=labels, latent=latent)["image"].numpy()
    for prediction, file, image in zip(predictions, files, images, strict=True):
        assert_same_but_for_rounding(Image.open(io.BytesIO(file)), prediction["image"])
        assert_same_but_for_rounding(image, prediction["image"])
    info = json.loads((version / "keras_fm.json").read_text())
    assert info["signatures"] == ["serving_default", "sample"]
    for signature, output in (("serving_default", "image"), ("sample", "image_bytes")):
        parity = info["parity"][signature]
        assert parity["examples"] == 10
        assert parity["max_difference"][output] <= 1


def test_tf_servings_loader_loads_it_and_unknown_labels_are_errors(model, version):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        signature = loaded.signature_def["sample"]
        assert {name: info.dtype for name, info in signature.inputs.items()} == {
            "label": tf.string, "seed": tf.int64,
        }  # fmt: skip
        assert set(signature.outputs) == {"image_bytes"}

        def sample(label):
            feed = {signature.inputs["label"].name: [label], signature.inputs["seed"].name: [4]}
            return session.run(signature.outputs["image_bytes"].name, feed)

        (file,) = sample("deer")
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected one of airplane"):
            sample("deerr")
    prediction = pipelines.pipeline(model)("deer", seed=4)[0]
    np.testing.assert_array_equal(Image.open(io.BytesIO(file)), prediction["image"])


@pytest.mark.parametrize("value", [-101.0, 101.0, np.nan])
def test_latents_far_from_all_that_were_trained_on_are_refused(value, version):
    serve = tf.saved_model.load(str(version)).signatures["serving_default"]
    latent = np.zeros((2, 6), "float32")
    latent[1, 3] = value
    with pytest.raises(tf.errors.InvalidArgumentError, match="numbers from -100 to 100"):
        serve(label=tf.constant(["frog", "ship"]), latent=tf.constant(latent))


def test_copies_of_real_images_have_a_small_distance_and_full_variance(
    model, few_images, monkeypatch
):
    real = datasets.sample("cifar10")
    indices_of = [np.flatnonzero(real.targets == label) for label in range(10)]

    def copy(self, model, labels):
        count = np.zeros(10, int)
        indices = []
        for label in labels:
            indices.append(indices_of[label][count[label] % len(indices_of[label])])
            count[label] += 1
        return real.inputs[indices]

    monkeypatch.setattr(objective, "MIN_EXAMPLES", 257)
    generated = evaluation.evaluate(model, split="sample")
    monkeypatch.setattr(predict.GeneratorPredictor, "generate", copy)
    copied = evaluation.evaluate(model, split="sample")
    assert copied["frechet_distance"] < 0.1 * generated["frechet_distance"]
    assert copied["min_class_variance_ratio"] > 0.9


def test_the_variance_ratio_of_a_collapsed_class_is_zero(model, few_images, monkeypatch):
    real = datasets.sample("cifar10")

    def collapse(self, model, labels):
        images = real.inputs[np.arange(len(labels)) % 256].copy()
        images[labels == 3] = real.inputs[0]
        return images

    monkeypatch.setattr(objective, "MIN_EXAMPLES", 257)
    monkeypatch.setattr(predict.GeneratorPredictor, "generate", collapse)
    metrics = evaluation.evaluate(model, split="sample")
    assert metrics["min_class_variance_ratio"] == pytest.approx(0, abs=1e-9)


@pytest.mark.thorough
def test_slices_are_of_the_first_metric(model, few_images, monkeypatch):
    scores = evaluation.evaluate(model, split="sample", slice_by="label")
    assert next(iter(scores)) == "classification_accuracy_score"
    counts = np.bincount(datasets.sample("cifar10").targets)
    labels, metric = task_of(model).spec.labels, "classification_accuracy_score"
    slices = scores["slices"]["label"]
    weighted = np.dot([slices[label][metric] for label in labels], counts) / 256
    assert weighted == pytest.approx(scores["classification_accuracy_score"])
    monkeypatch.setattr(objective, "MIN_EXAMPLES", 257)
    scores = evaluation.evaluate(model, split="sample", slice_by="label")
    assert next(iter(scores)) == "evaluator_accuracy"
    accuracies = [x["evaluator_accuracy"] for x in scores["slices"]["label"].values()]
    assert np.mean(accuracies) == pytest.approx(scores["evaluator_accuracy"])


def test_the_distance_of_real_training_images_is_measured_too(model, few_images, monkeypatch):
    sample = datasets.sample("cifar10")
    monkeypatch.setattr(datasets, "is_prepared", lambda *_: True)
    monkeypatch.setattr(
        datasets, "load", lambda dataset, split: sample if split == "sample" else
        Examples(sample.inputs[::2].repeat(2, axis=0), sample.targets, split),
    )  # fmt: skip
    monkeypatch.setattr(  # which is tested above, and takes seconds
        generator_evaluation.GeneratorEvaluator, "train_on_generated", lambda *_: sample.targets
    )
    scores = evaluation.evaluate(model, split="sample")
    assert scores["classification_accuracy_score"] == 1
    assert 0 < scores["frechet_distance_real"] < 0.3 * scores["frechet_distance"]


@pytest.mark.thorough
def test_a_training_writes_generated_images_of_each_epoch(few_images, tmp_path):
    run = training.train("tiny_gan", data="sample", run_dir=tmp_path / "run", epochs=2)
    events = tensorboard_logs.read_events(run.path / "logs" / "train")
    assert [event.step for event in events.Tensors("6_pictures/generated")] == [25, 50]
    tensorboard_logs.check_board(
        run.path,
        {"1_loss/generator_loss", "1_loss/discriminator_loss", "4_speed/images_per_second",
         "3_optimizer/discriminator_learning_rate", "7_inputs/augmented_inputs"},
        {"5_result/frechet_distance"},
    )  # fmt: skip
    assert set(run.history) == {"epoch", "seconds", "generator_loss", "discriminator_loss"}
    assert set(run.metrics) == {
        "evaluator_accuracy",
        "frechet_distance",
        "min_class_variance_ratio",
    }
    assert run.baseline == {}
    assert helpers.same_weights(loading.get("tiny_gan", weights=run.path / "model.weights.h5"),
                                run.model)  # fmt: skip


def test_an_evaluator_without_weights_is_an_error_before_the_training(entry_file, tmp_path):
    entry_file.write_text(
        entry_file.read_text().replace('evaluator = "tiny_net"', 'evaluator = "tiny_gan"')
    )
    registry.clear_cache()
    with pytest.raises(UnknownNameError, match="'tiny_gan' has no pretrained weights"):
        training.train("tiny_gan", data="sample", run_dir=tmp_path / "run")
    assert not any(tmp_path.glob("run"))


@pytest.mark.parametrize("field", ["evaluator = ", "labels = ["])
def test_an_entry_names_evaluator_and_labels(entry_file, field):
    text = entry_file.read_text()
    start = text.index(field)
    end = text.index("]\n", start) + 2 if "[" in field else text.index("\n", start)
    entry_file.write_text(text[:start] + text[end:])
    registry.clear_cache()
    with pytest.raises(SchemaError, match="'output', 'evaluator' and 'labels'"):
        registry.info("tiny_gan")


def test_images_of_another_size_are_an_error(model):
    small = Examples(np.zeros((3, 28, 28, 3), np.uint8), np.zeros(3, int), "small ones")
    with pytest.raises(DataError, match=r"small ones.*\[3, 28, 28, 3\]"):
        evaluation.evaluate(model, data=small)


def test_a_generator_can_not_have_other_classes(model, tmp_path):
    with pytest.raises(InvalidInputError, match=r"is no classifier|is for classifiers"):
        loading.get("tiny_gan", weights=None, num_classes=3)
    with pytest.raises(InvalidInputError, match=r"is no classifier|is for classifiers"):
        fine_tuning.fine_tune(
            model, datasets.sample("cifar10"), class_names=["a", "b"], run_dir=tmp_path / "run"
        )


def test_its_record_is_verified_on_the_sample(tiny_gan, entry_file, no_tfds, monkeypatch):
    monkeypatch.setattr(objective, "NUM_COMPARED", 100)
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
    assert [check.name for check in report.checks][-3:] == [
        "evaluator accuracy", "Fréchet distance", "smallest class variance ratio",
    ]  # fmt: skip


def test_the_card_shows_the_nearest_training_images(model, monkeypatch):
    sample = datasets.sample("cifar10")
    monkeypatch.setattr(data.GeneratorData, "load", lambda self, split: sample)
    images = task_of(model).summaries.card_images(model)
    assert images["generated"].shape == (640, 640, 3)
    assert images["nearest"].shape == (20 * 64, 6 * 64, 3)
    np.testing.assert_array_equal(images["nearest"][:64, :64], images["generated"][:64, :64])
    assert summaries.nearest(sample.inputs[9], sample.inputs, 2)[0] == 9
    nearest = images["nearest"][:64:2, 64:128:2]
    generated = pipelines.pipeline(model)("airplane", seed=0)[0]["image"].astype(int)
    differences = np.square(sample.inputs.astype(int) - generated).sum(axis=(1, 2, 3))
    np.testing.assert_array_equal(nearest, sample.inputs[differences.argmin()])


def test_a_row_of_the_grid_has_one_label_and_a_column_one_latent(model):
    grid = task_of(model).summaries.card_grid(model)
    height, width = (side // 10 for side in grid.shape[:2])
    cells = grid.reshape(10, height, 10, width, -1).swapaxes(1, 2)[:, :, ::2, ::2]
    for label, seed in ((0, 0), (2, 7), (9, 1)):
        image = task_of(model).predictor.generate_from_seeds(model, [label], [seed])[0]
        np.testing.assert_array_equal(cells[label, seed], image)


def test_info_shows_the_output_and_the_evaluator(capsys):
    assert cli.main(["info", "tiny_gan"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "output image uint8 [32, 32, 3], RGB, 0..255; evaluated with tiny_net" in shown


def test_predict_writes_files_and_overwrites_none(capsys, tmp_path, monkeypatch):
    def load(name):
        keras.utils.set_random_seed(0)
        return loading.get("tiny_gan", weights=None)

    monkeypatch.setattr(pipelines, "resolve_model", load)
    package, _ = registry.find("tiny_gan")
    named = NamedModel.of(package)
    monkeypatch.setattr("keras_fm.cli.predict.look_up", lambda name: named)  # it has no weights
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
