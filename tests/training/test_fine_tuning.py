"""Fine-tuning on a user's own data, from the files to a model that serves them."""

import json
import shutil

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_fm
from keras_fm import adapters, pipelines, registry
from keras_fm.data import datasets, example_files
from keras_fm.data.examples import Examples
from keras_fm.errors import DataError, DataWarning, RunError
from keras_fm.evaluation import evaluation, verification
from keras_fm.exporting import saved_model
from keras_fm.models import run_files
from keras_fm.models.spec import spec_of
from keras_fm.registry import packages
from keras_fm.training import cached_features, fine_tuning, fine_tuning_jobs, runs, training

LABELS = ["air", "land", "water"]
STAGES = {"head.epochs": 3, "epochs": 2, "patience": 0}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A model with batch normalisation that has seen data, in somebody else's package."""
    site = tmp_path_factory.mktemp("site")
    helpers.write_package(site, "module_zoo", {"module_net": "module_zoo.module_net"})
    helpers.write_room(site / "module_zoo" / "module_net")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(site)
        packages.cache_clear()
        model = keras_fm.get("module_net", weights=None)
        random = np.random.default_rng(0)
        model.get_layer("norm").set_weights([random.uniform(0.5, 1, 4) for _ in range(4)])
        yield model
    packages.cache_clear()


@pytest.fixture(scope="module")
def before(pretrained):
    return helpers.all_weights(pretrained)


@pytest.fixture(scope="module")
def gradual(pretrained, before, tmp_path_factory):
    """A fine-tuning in two stages, compared with all there is."""
    path = tmp_path_factory.mktemp("runs") / "head_then_full"
    return tune(pretrained, path, compare=True, **STAGES)


def tune(model, path, *, given=None, labels=LABELS, **options):
    given = helpers.noise(24) if given is None else given
    return fine_tuning.fine_tune(model, given, class_names=labels, run_dir=path, **options)


def changed(before, after, *names):
    """Which weights of these layers differ."""
    pairs = zip(
        *([array for n in names for array in model.get_layer(n).get_weights()]
          for model in (before, after)), strict=True,
    )  # fmt: skip
    return [not np.array_equal(one, other) for one, other in pairs]


def recipe_of(run):
    return fine_tuning_jobs.load_recipe(run.path / "recipe.toml")


def test_gradual_trains_the_head_and_then_all_but_the_statistics(pretrained, gradual):
    head = runs.load_run(gradual.path / "head")
    assert (head.history["epoch"], gradual.history["epoch"]) == ([0, 1, 2], [0, 1])
    assert not any(changed(pretrained, head.model, "conv", "norm"))
    assert all(changed(head.model, gradual.model, "conv", "logits"))
    assert not any(changed(head.model, gradual.model, "norm"))
    assert recipe_of(gradual).learning_rate < recipe_of(head).learning_rate / 5
    assert gradual.model.output_shape == (None, 3)
    assert all(layer.trainable for layer in gradual.model.layers)


def test_a_room_has_its_own_recipe_or_that_of_its_task(pretrained):
    def asked():
        stages = fine_tuning_jobs.resolve_options(
            spec_of(pretrained), "head_then_full", 0, {}
        ).stages
        return {name: recipe.epochs for name, recipe in stages.items()}

    assert asked() == {"head": 30, "": 20}
    room, _ = registry.find("module_net")
    own = room.path / "head_then_full.toml"
    of_task = (fine_tuning_jobs.RECIPES / "images" / "head_then_full.toml").read_text()
    own.write_text(of_task.replace("epochs = 20", "epochs = 7"))
    try:
        assert asked() == {"head": 30, "": 7}
    finally:
        own.unlink()


def test_the_pretrained_model_stays_as_it_is(pretrained, before, gradual):
    for old, new in zip(before, helpers.all_weights(pretrained), strict=True):
        np.testing.assert_array_equal(old, new)
    assert pretrained.output_shape == (None, 10)
    assert all(layer.trainable for layer in pretrained.layers)


def test_it_is_compared_on_the_same_examples(gradual):
    scratch = runs.load_run(gradual.path / "scratch")
    assert run_files.read_run(scratch.path)["start"] == "random"
    recipe = recipe_of(scratch)
    assert (recipe.epochs, recipe.optimizer) == (5, "sgd")
    assert recipe.learning_rate == pytest.approx(0.01 * recipe.batch_size / 32)
    assert gradual.comparisons[fine_tuning.FROM_RANDOM] == scratch.metrics
    assert (
        gradual.comparisons[fine_tuning.HEAD_ALONE] == runs.load_run(gradual.path / "head").metrics
    )
    report = gradual.report()
    for part in ("module_net, fine-tuned (gradual) on 24 images of noise, 20 to train on",
                 "started from module_net", "3 classes: air 8, land 8, water 8",
                 *gradual.comparisons, runs.BASELINE, fine_tuning.PROBE):  # fmt: skip
        assert part in report, part
    assert runs.load_run(gradual.path).report() == report


def test_tensorboard_shows_the_ways_side_by_side(gradual):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = {}
    for folder in ("", "head", "scratch", "compared/probe", "compared/baseline"):
        events = EventAccumulator(str(gradual.path / folder / "logs")).Reload()
        found[folder] = tf.make_ndarray(events.Tensors("result/accuracy")[0].tensor_proto)
        assert events.PluginTagToContent("hparams"), folder
    assert found[""] == pytest.approx(gradual.metrics["accuracy"])
    assert found["compared/baseline"] == pytest.approx(gradual.baseline["accuracy"])


def test_a_fine_tuning_is_verified(gradual, tmp_path):
    assert verification.verify(gradual.path).holds
    path = tmp_path / "copy"
    shutil.copytree(gradual.path, path)
    result = json.loads((path / "result.json").read_text())
    result["metrics"]["accuracy"] += 0.4
    (path / "result.json").write_text(json.dumps(result))
    assert not verification.verify(str(path)).holds
    (path / "validation.npz").unlink()
    with pytest.raises(DataError, match=r"validation\.npz holds no examples"):
        verification.verify(path)


def test_a_stopped_fine_tuning_goes_on_to_the_same_end(pretrained, gradual, tmp_path, monkeypatch):
    usual, started = training.monitoring.callbacks, []

    def callbacks(path, *given):
        def stop(epoch, logs):
            started.append((path.name, epoch))
            if len(started) in (2, 5):  # in the first stage, and in the second
                raise KeyboardInterrupt

        return [*usual(path, *given), keras.callbacks.LambdaCallback(on_epoch_begin=stop)]

    monkeypatch.setattr(training.monitoring, "callbacks", callbacks)
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
    assert started == [("head", 0), ("head", 1), ("head", 1), ("head", 2), ("stopped", 0),
                       ("stopped", 0), ("stopped", 1)]  # fmt: skip
    assert helpers.same_weights(gradual.model, resumed.model)
    assert gradual.metrics == resumed.metrics
    assert not [*path.rglob("checkpoints")]


def test_adapters_are_resumed_and_kept_alone(pretrained, tmp_path, stop_at):
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


def test_a_head_learns_the_same_from_features_as_through_the_body(
    pretrained, tmp_path, monkeypatch
):
    options = {"strategy": "head", "epochs": 3, "patience": 0}
    run = tune(pretrained, tmp_path / "features", **options)
    assert not any(changed(pretrained, run.model, "conv", "norm"))
    assert not cached_features.can_cache_features(recipe_of(run).override(flip="random"))
    assert not cached_features.can_cache_features(recipe_of(run).override(trainable="all"))
    monkeypatch.setattr(cached_features, "can_cache_features", lambda recipe: False)
    whole = tune(pretrained, tmp_path / "whole", **options)
    for one, other in zip(*(helpers.all_weights(r.model) for r in (run, whole)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    assert run.history["val_loss"] == pytest.approx(whole.history["val_loss"], rel=1e-3)


def test_full_changes_all_layers(pretrained, tmp_path):
    run = tune(pretrained, tmp_path / "run", strategy="full", epochs=1, patience=0)
    assert all(changed(pretrained, run.model, "conv", "norm"))


def test_a_fine_tuned_model_is_fine_tuned_again(gradual, tmp_path):
    options = {"strategy": "head", "epochs": 1, "learning_rate": 1e-12}
    same = tune(gradual.path, tmp_path / "same", **options)
    before, after = (run.model.get_layer("logits").get_weights()[0] for run in (gradual, same))
    np.testing.assert_allclose(before, after, atol=1e-6)
    assert "started from" in same.report()
    other = tune(gradual.model, tmp_path / "other", class_names=None, **options)
    assert spec_of(other.model).labels == ("0", "1", "2")


def test_what_can_not_go_on_is_named(pretrained, gradual, tmp_path):
    path = tmp_path / "unfinished"
    shutil.copytree(gradual.path, path)
    (path / "result.json").unlink()
    for options, complaint in [
        ({"path": None}, "resume=True needs run_dir"),
        ({"path": tmp_path / "gone"}, "gone is no run directory"),
        ({"epochs": 3}, "leave out epochs"),
        ({"given": helpers.noise(30)}, "began on 24 images of noise"),
        ({"labels": ["a", "b", "c"]}, "other columns or classes"),
        ({"model": keras_fm.get("module_net", weights=None)}, "with other weights"),
        ({"path": gradual.path}, "is complete"),
    ]:
        given = {"model": pretrained, "path": path, **options}
        with pytest.raises(RunError, match=complaint):
            tune(**given, resume=True)
    with pytest.raises(RunError, match="is a fine-tuning"):
        training.train("module_net", run_dir=path, resume=True)


def test_other_examples_can_validate_and_classes_count_the_same(pretrained, tmp_path, monkeypatch):
    targets = np.array([0] * 24 + [1] * 6)
    whole = Examples(helpers.noise(30).inputs, targets, "imbalanced noise")
    learned, asked = whole.subset(slice(4, 30), "most"), whole.subset(slice(10), "some")
    usual, seen = keras.Model.fit, {}

    def fit(model, *given, **options):
        seen.update(options)
        return usual(model, *given, **options)

    monkeypatch.setattr(keras.Model, "fit", fit)
    with pytest.warns(DataWarning, match="6 of 10 validation examples are among the training"):
        run = tune(pretrained, tmp_path / "run", given=learned, validation_data=asked,
                   class_names=["a", "b"], strategy="head", epochs=1, class_weight="balanced",
        )  # fmt: skip
    assert "20 of 'a', 6 of 'b'; class_weight='balanced'" in run.report()
    assert "duplicates across the split: 6 of 10" in run.report()
    assert seen["class_weight"] == {0: 26 / 2 / 20, 1: 26 / 2 / 6}
    assert run_files.read_run(run.path)["data"] == "most"
    assert len(example_files.load_examples(run.path / "validation.npz")) == 10
    with pytest.raises(DataError, match="have a class that the model does not know"):
        tune(pretrained, tmp_path / "other", class_names=None, given=learned,
             validation_data=(whole.inputs, ["x"] * 30))  # fmt: skip


def test_a_folder_of_photos_becomes_a_model_that_serves(pretrained, tmp_path):
    for number, label in enumerate(LABELS):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for seed in range(6):
            image = helpers.image(40, 30 + seed, seed=seed + 10 * number)
            (folder / f"{seed}.png").write_bytes(helpers.encode(image))
    run = keras_fm.fine_tune(
        pretrained, tmp_path / "photos", run_dir=tmp_path / "run", strategy="head", epochs=1
    )
    about = run_files.read_run(run.path)
    assert about["labels"] == LABELS
    assert about["data"] == f"{tmp_path / 'photos'}: 18 images of 3 classes, 15 to train on"

    run.model.save(tmp_path / "mine.keras")
    file = tmp_path / "photos" / "air" / "0.png"
    (expected,) = pipelines.pipeline(run.path)(file)
    (answer,) = pipelines.pipeline(tmp_path / "mine.keras")(file)
    assert answer == expected

    version = saved_model.export(tmp_path / "mine.keras", tmp_path / "export")
    served = tf.saved_model.load(str(version)).signatures["serve_bytes"]
    answers = served(image_bytes=tf.constant([file.read_bytes()]))
    assert answers["label"].numpy() == [expected["label"].encode()]
    assert (version / "assets" / "labels.txt").read_text().split() == LABELS

    (tmp_path / "photos" / "water").rename(tmp_path / "photos" / "fire")
    with pytest.raises(DataError, match="6 of 18 examples have a class that the model does not"):
        evaluation.evaluate(run.model, data=tmp_path / "photos")


def test_a_keras_file_opens_in_a_fresh_process(tmp_path):
    model = keras_fm.get("linear_regression")
    model.save(tmp_path / "mine.keras")
    code = (
        "import sys, keras_fm\n"
        "from keras_fm import data\n"
        "print('|', keras_fm.evaluate(sys.argv[1], data=data.sample('diamonds'))['rmse_log'])"
    )
    done = helpers.python(code, tmp_path / "mine.keras")
    assert done.returncode == 0, done.stderr
    expected = evaluation.evaluate(model, data=datasets.sample("diamonds"))["rmse_log"]
    assert float(done.stdout.rpartition("|")[2]) == pytest.approx(expected)
    code = (
        "import sys, keras, keras_fm\n"
        "print('|', keras.models.load_model(sys.argv[1]).count_params())"
    )
    done = helpers.python(code, tmp_path / "mine.keras")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.rpartition("|")[2]) == model.count_params()
    with pytest.raises(RunError, match=r"mine\.keras keeps no claims"):
        verification.verify(tmp_path / "mine.keras")
