"""Fine-tuning on a user's own data, from the files to a model that serves them."""

import json
import shutil

import helpers
import keras
import numpy as np
import pytest
import tensorboard_logs
import tensorflow as tf

import keras_fm
from keras_fm import adapters, pipelines, registry
from keras_fm.data import example_files
from keras_fm.data.examples import Examples
from keras_fm.data.user.source import UserData
from keras_fm.errors import (
    DataError,
    DataWarning,
    InvalidInputError,
    RunError,
    UnknownNameError,
)  # fmt: skip
from keras_fm.evaluation import evaluation, verification
from keras_fm.models import run_files
from keras_fm.models.spec import spec_of
from keras_fm.tasks.image_classification.recipe import ImageClassificationRecipe
from keras_fm.training import (
    cached_features,
    fine_tuning,
    fine_tuning_jobs,
    fine_tuning_options,
    fine_tuning_stages,
    fit,
    monitoring,
    runs,
    training,
)  # fmt: skip

CLASS_NAMES = ["air", "land", "water"]
STAGES = {"head.epochs": 3, "epochs": 2, "patience": 0}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A model whose batch normalization has seen data, in somebody else's package."""
    site = tmp_path_factory.mktemp("site")
    helpers.write_package(site, "module_zoo", {"module_net": "module_zoo.module_net"})
    helpers.write_tiny_package(site / "module_zoo" / "module_net")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(site)
        registry.clear_cache()
        model = keras_fm.get("module_net", weights=None)
        random = np.random.default_rng(0)
        model.get_layer("norm").set_weights([random.uniform(0.5, 1, 4) for _ in range(4)])
        yield model
    registry.clear_cache()


@pytest.fixture(scope="module")
def initial_weights(pretrained):
    return helpers.all_weights(pretrained)


@pytest.fixture(scope="module")
def two_stages(pretrained, initial_weights, tmp_path_factory):
    """A fine-tuning in two stages, compared with all that there is."""
    path = tmp_path_factory.mktemp("runs") / "head_then_full"
    return tune(pretrained, path, compare=True, **STAGES)


def tune(model, path, *, data=None, class_names=CLASS_NAMES, **options):
    data = helpers.noise(24) if data is None else data
    return fine_tuning.fine_tune(model, data, class_names=class_names, run_dir=path, **options)


def changed(model, other, *layers):
    """Whether each weight of these layers differs between two models."""
    pairs = zip(
        *([array for name in layers for array in each.get_layer(name).get_weights()]
          for each in (model, other)), strict=True,
    )  # fmt: skip
    return [not np.array_equal(one, other) for one, other in pairs]


def recipe_of(run):
    return fine_tuning_options.load_recipe(run.path / "recipe.toml", ImageClassificationRecipe)


def test_head_then_full_trains_the_head_then_all_but_the_moving_statistics(pretrained, two_stages):
    head = runs.load_run(two_stages.path / "head")
    assert (head.history["epoch"], two_stages.history["epoch"]) == ([0, 1, 2], [0, 1])
    assert not any(changed(pretrained, head.model, "conv", "norm"))
    assert all(changed(head.model, two_stages.model, "conv", "logits"))
    assert not any(changed(head.model, two_stages.model, "norm"))
    assert recipe_of(two_stages).learning_rate < recipe_of(head).learning_rate / 5
    assert two_stages.model.output_shape == (None, 3)
    assert all(layer.trainable for layer in two_stages.model.layers)


def test_the_recipe_of_a_strategy_is_the_packages_own_or_its_tasks(pretrained):
    spec, examples = spec_of(pretrained), helpers.noise(24)

    def epochs():
        options = fine_tuning_options.resolve_options(spec, "head_then_full", 0, {})
        data = UserData(examples, class_names=CLASS_NAMES)
        stage_jobs = fine_tuning_jobs.fine_tuning_jobs(spec, data, None, options)
        return {stage: job.recipe.epochs for stage, job in stage_jobs.items()}

    assert epochs() == {"head": 30, "": 20}
    package_file = spec.package.path / "head_then_full.toml"
    task_file = fine_tuning_options.RECIPES / "images" / "head_then_full.toml"
    package_file.write_text(task_file.read_text().replace("epochs = 20", "epochs = 7"))
    try:
        assert epochs() == {"head": 30, "": 7}
    finally:
        package_file.unlink()


def test_the_pretrained_model_is_not_changed(pretrained, initial_weights, two_stages):
    for old, new in zip(initial_weights, helpers.all_weights(pretrained), strict=True):
        np.testing.assert_array_equal(old, new)
    assert pretrained.output_shape == (None, 10)
    assert all(layer.trainable for layer in pretrained.layers)


def test_a_run_is_compared_on_the_same_validation_examples(two_stages):
    scratch = runs.load_run(two_stages.path / "scratch")
    assert run_files.read_run(scratch.path)["init_from"] == "random"
    recipe = recipe_of(scratch)
    assert (recipe.epochs, recipe.optimizer) == (5, "sgd")
    assert recipe.learning_rate == pytest.approx(0.01 * recipe.batch_size / 32)
    assert two_stages.comparisons[fine_tuning_stages.TRAINED_FROM_SCRATCH] == scratch.metrics
    head = runs.load_run(two_stages.path / "head")
    assert two_stages.comparisons[fine_tuning_stages.HEAD_ALONE] == head.metrics
    report = two_stages.report()
    for part in ("module_net, fine-tuned (head_then_full) on 24 images of noise, 20 to train on",
                 "initialized from module_net", "3 classes: air 8, land 8, water 8",
                 *two_stages.comparisons, "majority-class baseline", fine_tuning_stages.PROBE,
    ):  # fmt: skip
        assert part in report, part
    assert runs.load_run(two_stages.path).report() == report


def test_a_stage_has_the_validation_examples_of_all(two_stages):
    assert keras_fm.evaluate(two_stages.path / "head")["num_examples"] == 4
    assert not (two_stages.path / "head" / "validation.npz").exists()


def test_tensorboard_shows_the_methods_side_by_side(two_stages):
    accuracy = {}
    for folder in ("", "head", "scratch", "comparisons/linear_probe", "comparisons/baseline"):
        events = tensorboard_logs.read_events(two_stages.path / folder / "logs" / "validation")
        accuracy[folder] = tf.make_ndarray(events.Tensors("5_result/accuracy")[0].tensor_proto)
        assert events.PluginTagToContent("hparams"), folder
    assert accuracy[""] == pytest.approx(two_stages.metrics["accuracy"])
    probe = two_stages.comparisons[fine_tuning_stages.PROBE]["accuracy"]
    assert accuracy["comparisons/linear_probe"] == pytest.approx(probe)
    assert accuracy["comparisons/baseline"] == pytest.approx(two_stages.baseline["accuracy"])


def test_a_fine_tuning_is_verified(two_stages, tmp_path):
    assert verification.verify(two_stages.path).passed
    path = tmp_path / "copy"
    shutil.copytree(two_stages.path, path)
    result = json.loads((path / "result.json").read_text())
    result["metrics"]["accuracy"] += 0.4
    (path / "result.json").write_text(json.dumps(result))
    assert not verification.verify(str(path)).passed
    (path / "validation.npz").unlink()
    with pytest.raises(DataError, match=r"validation\.npz holds no examples"):
        verification.verify(path)


@pytest.mark.thorough
def test_a_resumed_fine_tuning_equals_an_uninterrupted_one(
    pretrained, two_stages, tmp_path, monkeypatch
):
    callbacks, begun = monitoring.callbacks, []

    def with_interrupts(path, *arguments):
        def stop(epoch, logs):
            begun.append((path.name, epoch))
            if len(begun) in (2, 5):  # in the first stage, and in the second
                raise KeyboardInterrupt

        return [*callbacks(path, *arguments), keras.callbacks.LambdaCallback(on_epoch_begin=stop)]

    monkeypatch.setattr(monitoring, "callbacks", with_interrupts)
    path = tmp_path / "stopped"
    with pytest.raises(
        KeyboardInterrupt, match=r"the same model, data and run_dir=.*, resume=True"
    ):
        tune(pretrained, path, **STAGES)
    with pytest.raises(RunError, match=r"did not end.*keras-fm fine-tune module_net DATA"):
        keras_fm.get(path)
    with pytest.raises(KeyboardInterrupt):
        tune(pretrained, path, resume=True)
    resumed = tune(pretrained, path, resume=True)
    assert begun == [("head", 0), ("head", 1), ("head", 1), ("head", 2), ("stopped", 0),
                     ("stopped", 0), ("stopped", 1)]  # fmt: skip
    assert helpers.same_weights(two_stages.model, resumed.model)
    assert two_stages.metrics == resumed.metrics
    assert not [*path.rglob("checkpoints")]


@pytest.mark.thorough
def test_adapters_are_trained_saved_alone_and_resumed(pretrained, tmp_path, stop_at):
    options = {"strategy": "lora", "epochs": 2, "patience": 0, "lora_rank": 2}
    run = tune(pretrained, tmp_path / "run", **options)
    assert changed(pretrained, run.model, "conv") == [True, False], "the kernel, not the bias"
    assert not any(changed(pretrained, run.model, "norm"))
    adapted = adapters.load(pretrained, run.path / "adapters.lora.h5")
    images = helpers.noise(5).inputs
    np.testing.assert_allclose(
        helpers.logits(adapted, images), helpers.logits(run.model, images), rtol=1e-4, atol=1e-4
    )
    stop_at(1)
    with pytest.raises(KeyboardInterrupt):
        tune(pretrained, tmp_path / "stopped", **options)
    stop_at(None)
    resumed = tune(pretrained, tmp_path / "stopped", resume=True)
    assert helpers.same_weights(run.model, resumed.model)


@pytest.mark.thorough
def test_cached_features_train_the_same_head_as_the_images_themselves(
    pretrained, tmp_path, monkeypatch
):
    options = {"strategy": "head", "epochs": 3, "patience": 0, "seed": 3}
    run = tune(pretrained, tmp_path / "features", **options)
    assert not any(changed(pretrained, run.model, "conv", "norm"))
    assert not cached_features.can_cache_features(recipe_of(run).override(flip="random"))
    assert not cached_features.can_cache_features(recipe_of(run).override(trainable="all"))
    monkeypatch.setattr(fit, "can_cache_features", lambda recipe: False)
    uncached = tune(pretrained, tmp_path / "uncached", **options)
    assert run.history["loss"] == pytest.approx(uncached.history["loss"], rel=1e-3)
    for one, other in zip(*(helpers.all_weights(r.model) for r in (run, uncached)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    assert run.history["val_loss"] == pytest.approx(uncached.history["val_loss"], rel=1e-3)


def test_full_changes_all_layers(pretrained, tmp_path):
    run = tune(pretrained, tmp_path / "run", strategy="full", epochs=1, patience=0)
    assert all(changed(pretrained, run.model, "conv", "norm"))


@pytest.mark.thorough
def test_a_fine_tuned_model_is_fine_tuned_again(two_stages, tmp_path):
    options = {"strategy": "head", "epochs": 1, "learning_rate": 1e-12}
    same = tune(two_stages.path, tmp_path / "same", **options)
    kernels = (run.model.get_layer("logits").get_weights()[0] for run in (two_stages, same))
    np.testing.assert_allclose(*kernels, atol=1e-6)
    assert f"initialized from {two_stages.path}" in same.report()
    other = tune(two_stages.model, tmp_path / "other", class_names=None, **options)
    assert spec_of(other.model).labels == ("0", "1", "2")


def test_what_can_not_be_resumed_is_an_error(pretrained, two_stages, tmp_path):
    path = tmp_path / "unfinished"
    shutil.copytree(two_stages.path, path)
    (path / "result.json").unlink()
    for options, message in [
        ({"path": None}, "resume=True needs run_dir"),
        ({"path": tmp_path / "gone"}, "gone is no run directory"),
        ({"epochs": 3}, "leave out epochs"),
        ({"validation_split": 0.5}, "keeps its recipe .*; leave out validation_split"),
        ({"seed": 3}, "began with seed=0; received seed=3"),
        ({"strategy": "head"}, "began with strategy='head_then_full'; received strategy='head'"),
        ({"augment_with": "gan"}, "began with augment_with=None; received augment_with='gan'"),
        ({"validation_data": helpers.noise(9)}, "leave out validation_data"),
        ({"data": helpers.noise(30)}, "began on 24 images of noise"),
        ({"class_names": ["a", "b", "c"]}, "other columns or classes"),
        ({"model": keras_fm.get("module_net", weights=None)}, "with other weights"),
        ({"path": two_stages.path}, "is complete"),
    ]:
        arguments = {"model": pretrained, "path": path, **options}
        with pytest.raises(RunError, match=message):
            tune(**arguments, resume=True)
    with pytest.raises(RunError, match="is a fine-tuning"):
        training.train("module_net", run_dir=path, resume=True)


def test_other_validation_data_are_resumed_with_the_same(pretrained, tmp_path, stop_at):
    noise, sizes = helpers.noise(45), {"data": (0, 24), "validation": (24, 33), "others": (33, 45)}
    data, validation, others = (
        noise.subset(slice(*bounds), name) for name, bounds in sizes.items()
    )
    options = {"data": data, "strategy": "head", "epochs": 2, "seed": 3}
    stop_at(0)
    with pytest.raises(KeyboardInterrupt):
        tune(pretrained, tmp_path / "run", validation_data=validation, **options)
    stop_at(None)
    for changes, message in [
        ({}, "validates on other data than it learns from: name the same again"),
        ({"validation_data": others}, "validates on other rows than others has now"),
        ({"validation_data": validation, "compare": True}, "began with compare=False"),
    ]:
        with pytest.raises(RunError, match=message):
            tune(pretrained, tmp_path / "run", data=data, resume=True, **changes)
    # What is said again as it was is no change.
    resumed = {**options, "validation_data": validation, "resume": True}
    del resumed["epochs"]
    assert tune(pretrained, tmp_path / "run", **resumed).num_validation == 9


def test_validation_data_and_balanced_class_weights(pretrained, tmp_path, monkeypatch):
    targets = np.array([0] * 24 + [1] * 6)
    examples = Examples(helpers.noise(30).inputs, targets, "imbalanced noise")
    data, validation = examples.subset(slice(4, 30), "most"), examples.subset(slice(10), "some")
    keras_fit, fit_options = keras.Model.fit, {}

    def recorded_fit(model, *arguments, **options):
        fit_options.update(options)
        return keras_fit(model, *arguments, **options)

    monkeypatch.setattr(keras.Model, "fit", recorded_fit)
    with pytest.warns(DataWarning, match="6 of 10 validation examples are among the training"):
        run = tune(pretrained, tmp_path / "run", data=data, validation_data=validation,
                   class_names=["a", "b"], strategy="head", epochs=1, class_weight="balanced",
        )  # fmt: skip
    assert "20 of 'a', 6 of 'b'; class_weight='balanced'" in run.report()
    assert "duplicates across the split: 6 of 10" in run.report()
    assert fit_options["class_weight"] == {0: 26 / 2 / 20, 1: 26 / 2 / 6}
    assert run_files.read_run(run.path)["data"] == "most"
    assert len(example_files.load_examples(run.path / "validation.npz")) == 10
    with pytest.raises(DataError, match="have a class that the model does not know"):
        tune(pretrained, tmp_path / "other", class_names=None, data=data,
             validation_data=(examples.inputs, ["x"] * 30))  # fmt: skip


def test_options_that_would_do_nothing_are_refused(pretrained, tmp_path):
    for options, message in [
        ({"generated_ratio": 2.0}, "generated_ratio is of what augment_with makes"),
        ({"generated_ratio": 0, "augment_with": "gan"}, "generated_ratio=0 makes no image"),
        ({"validation_split": 0.2, "validation_examples": 5}, "give one of them"),
        ({"validation_split": "test"}, "validation_split is a fraction.*received 'test'"),
        ({"validation_data_split": "test"}, "is of a TFDS data set in validation_data"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            tune(pretrained, tmp_path / "run", **options)
    with (
        pytest.warns(DataWarning, match="no example of 24 images of noise validates"),
        pytest.raises(InvalidInputError, match="compare needs examples to evaluate on"),
    ):
        tune(pretrained, tmp_path / "run", compare=True, validation_examples=0)
    with pytest.raises(UnknownNameError, match=r"head\.epochs: strategy 'full' has one stage"):
        tune(pretrained, tmp_path / "run", strategy="full", **{"head.epochs": 1})
    with pytest.raises(UnknownNameError, match=r"no strategy 'ful'\. Did you mean 'full'"):
        tune(pretrained, tmp_path / "run", strategy="ful")
    assert not (tmp_path / "run").exists()


@pytest.mark.thorough
def test_a_folder_of_photos_becomes_a_served_model(pretrained, tmp_path):
    for number, label in enumerate(CLASS_NAMES):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for seed in range(6):
            image = helpers.image(40, 30 + seed, seed=seed + 10 * number)
            (folder / f"{seed}.png").write_bytes(helpers.encode(image))
    run = keras_fm.fine_tune(
        pretrained, tmp_path / "photos", run_dir=tmp_path / "run", strategy="head", epochs=1
    )
    run_info = run_files.read_run(run.path)
    assert run_info["labels"] == CLASS_NAMES
    assert run_info["data"] == f"{tmp_path / 'photos'}: 18 images of 3 classes, 15 to train on"

    run.model.save(tmp_path / "mine.keras")
    file = tmp_path / "photos" / "air" / "0.png"
    (expected,) = pipelines.pipeline(run.path)(file)
    (prediction,) = pipelines.pipeline(tmp_path / "mine.keras")(file)
    assert prediction == expected

    version = helpers.export(tmp_path / "mine.keras", tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures["serve_bytes"]
    response = served(image_bytes=tf.constant([file.read_bytes()]))
    assert response["label"].numpy() == [expected["label"].encode()]
    assert (version / "assets" / "labels.txt").read_text().split() == CLASS_NAMES

    (tmp_path / "photos" / "water").rename(tmp_path / "photos" / "fire")
    with pytest.raises(DataError, match="6 of 18 examples have a class that the model does not"):
        evaluation.evaluate(run.model, data=tmp_path / "photos")
