"""Tools that release weights and lay out mirrors."""

import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading

import helpers
import pytest

from keras_fm import registry, store
from keras_fm.data import datasets
from keras_fm.errors import RunError, SchemaError, WeightsError
from keras_fm.evaluation import evaluation
from keras_fm.models import loading
from keras_fm.store import cache
from keras_fm.training import training


@pytest.fixture
def release(tools, monkeypatch):
    """`release(run, "--tag", "v1")`: the tool, with the bundled sample for the test split."""
    evaluate, sample = evaluation.evaluate, datasets.sample("cifar10")
    monkeypatch.setattr(evaluation, "evaluate", lambda model, **_: evaluate(model, data=sample))

    def release(*arguments):
        monkeypatch.setattr(sys, "argv", ["release_weights", *map(str, arguments)])
        tools("release_weights").main()
        registry.clear_cache()

    return release


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The run directory that all tests share; the first one to need it trains."""
    return tmp_path_factory.mktemp("trained") / "run"


@pytest.fixture
def run(tiny_net, trained):
    """A finished training of tiny_net by its recipe."""
    if not trained.exists():
        training.train("tiny_net", data="sample", run_dir=trained)
    shutil.copy(trained / "recipe.toml", tiny_net / "recipe.toml")
    return trained


@pytest.fixture
def other_run(run, tmp_path):
    """The same run with other weights."""
    shutil.copytree(run, tmp_path / "other")
    loading.get("tiny_net", weights=None).save_weights(tmp_path / "other" / "model.weights.h5")
    return tmp_path / "other"


@pytest.fixture
def host(tmp_path):
    """The URL of a static host that serves the folder `mirror`."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    serve = functools.partial(Quiet, directory=tmp_path / "mirror")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_run_becomes_released_weights(tiny_net, run, release):
    release(run)
    record = registry.info("tiny_net").weights["v1"]
    file = tiny_net / record.file
    assert store.find_weights(registry.find("tiny_net")[0]) == store.WeightsFile(
        file, record.sha256
    )
    assert (file.stat().st_size, record.storage) == (record.file_size, "float16")
    scores = evaluation.evaluate(loading.get("tiny_net"), data=datasets.sample("cifar10"))
    assert record.metrics["accuracy"] == pytest.approx(scores["accuracy"], abs=1e-6)
    assert record.seeds.seeds == [0]
    names = {path.name for path in (tiny_net / "weights").iterdir()}
    assert names == {f"tiny_net.v1.{end}" for end in ("weights.h5", "history.csv", "logs")}
    assert not [path for path in tiny_net.iterdir() if "draft" in path.name]


def test_a_tag_keeps_its_weights(tiny_net, run, other_run, release):
    float32 = ("--storage", "float32")
    release(run, *float32)
    released = helpers.snapshot(tiny_net)
    release(run, *float32)  # the same weights once more
    assert helpers.snapshot(tiny_net) == released
    with pytest.raises(RunError, match=r"tiny_net\.v1 is released already.*--replace"):
        release(other_run, *float32)
    assert helpers.snapshot(tiny_net) == released

    old = registry.info("tiny_net").weights["v1"].sha256
    release(other_run, "--replace", "a better seed", *float32)
    entry = registry.info("tiny_net")
    assert entry.withdrawn == {old: "a better seed"}
    assert entry.weights["v1"].sha256 != old
    release(run, "--tag", "v2", *float32)
    assert set(registry.info("tiny_net").weights) == {"v1", "v2"}


@pytest.mark.thorough
def test_further_seeds_are_added_to_what_is_released(tiny_net, run, other_run, release):
    release(run)
    files = helpers.snapshot(tiny_net / "weights")
    with pytest.raises(RunError, match=r"tiny_net\.v1 would have a seed twice: \[0, 0\]"):
        release(other_run, "--more-seeds")
    run_info = json.loads((other_run / "run.json").read_text())
    elsewhere = {**run_info["environment"], "hardware": "NVIDIA H200"}
    (other_run / "run.json").write_text(
        json.dumps({**run_info, "seed": 7, "environment": elsewhere})
    )
    release(other_run, "--more-seeds")
    record = registry.info("tiny_net").weights["v1"]
    assert record.hardware == [run_info["environment"]["hardware"], "NVIDIA H200"]
    assert helpers.snapshot(tiny_net / "weights") == files
    assert record.seeds.seeds == [0, 7]
    assert len(record.seeds.minutes) == 2
    accuracy, other_accuracy = record.seeds.metrics["accuracy"]
    assert accuracy == pytest.approx(record.metrics["accuracy"], abs=0.01) != other_accuracy

    recipe = (other_run / "recipe.toml").read_text().replace("momentum = 0.0", "momentum = 0.5")
    for folder in (other_run, tiny_net):
        (folder / "recipe.toml").write_text(recipe)
    (other_run / "run.json").write_text(json.dumps({**run_info, "seed": 8}))
    registry.clear_cache()
    with pytest.raises(RunError, match=r"has another recipe than tiny_net\.v1"):
        release(other_run, "--more-seeds")


@pytest.mark.thorough
def test_a_run_by_another_recipe_of_the_folder_names_it_and_its_teacher(
    tiny_net, run, other_run, release
):
    recipe = (
        (other_run / "recipe.toml").read_text().replace('teacher = ""', 'teacher = "cifar_cnn"')
    )
    (other_run / "recipe.toml").write_text(recipe)
    with pytest.raises(RunError, match=r"recipe\.toml differs from .*recipe\.toml"):
        release(other_run, "--storage", "float32")
    (tiny_net / "distilled.toml").write_text(recipe)
    release(other_run, "--storage", "float32")
    record = registry.info("tiny_net").weights_of()
    teacher = registry.weights_of("cifar_cnn")
    name = f"cifar_cnn.{registry.info('cifar_cnn').default_weights}"
    assert (record.recipe, record.teacher) == ("distilled.toml", name)
    assert record.teacher_sha256 == teacher.sha256


@pytest.mark.thorough
def test_a_run_with_another_initialization_is_not_released(tiny_net, run, other_run, release):
    entry = tiny_net / "entry.toml"
    entry.write_text(f'init_from = "cifar_cnn_basic"\n{entry.read_text()}')
    registry.clear_cache()
    with pytest.raises(RunError, match="initialized from random, not from cifar_cnn_basic"):
        release(run)
    run_info = json.loads((other_run / "run.json").read_text())
    (other_run / "run.json").write_text(json.dumps({**run_info, "init_from": "cifar_cnn_basic"}))
    release(other_run)
    expected = registry.info("cifar_cnn_basic").weights_of().sha256
    assert registry.info("tiny_net").weights_of().init_from_sha256 == expected


def test_a_release_that_fails_changes_nothing(tiny_net, run, release):
    content = helpers.snapshot(tiny_net)
    with pytest.raises(SchemaError, match="Not A Tag"):
        release(run, "--tag", "Not A Tag")
    assert helpers.snapshot(tiny_net) == content


def test_points_that_tensorboard_would_not_show_are_not_released(tiny_net, run, release, tmp_path):
    shutil.copytree(run, tmp_path / "old")
    config = tmp_path / "old" / "logs" / "points" / "projector_config.pbtxt"
    config.parent.mkdir()
    config.touch()
    content = helpers.snapshot(tiny_net)
    with pytest.raises(RunError, match=r"show nothing of .*projector_config.* move .*logs/train"):
        release(tmp_path / "old")
    assert helpers.snapshot(tiny_net) == content
    config.rename(tmp_path / "old" / "logs" / "train" / config.name)
    release(tmp_path / "old")


def test_logs_that_name_a_folder_of_this_machine_are_not_released(tiny_net, run, release, tmp_path):
    shutil.copytree(run, tmp_path / "old")
    (tmp_path / "old" / "logs" / "events.out.tfevents.1").write_bytes(b"x" + str(tmp_path).encode())
    with pytest.raises(RunError, match="names a folder of this machine"):
        release(tmp_path / "old")


def test_a_stored_file_with_other_metrics_is_not_released(tools):
    record = {"metrics": {"accuracy": 0.75}, "num_examples": 10_000, "storage": "float16"}
    check = tools("release_weights")._check_storage
    check(record, {"accuracy": 0.7505})
    with pytest.raises(RunError, match=r"76\.00% as trained and 75\.00% as stored in float16"):
        check(record, {"accuracy": 0.76})


@pytest.mark.thorough
def test_a_mirror_is_a_folder_on_any_static_host(
    tiny_net, run, release, host, tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_FM_HOME", str(tmp_path / "home"))
    release(run, "--mirror", tmp_path / "mirror", "--url", host, "--apart")
    record = registry.info("tiny_net").weights["v1"]
    assert record.urls == [f"{host}/{record.sha256}.weights.h5"]
    assert not (tiny_net / record.file).exists()
    model = loading.get("tiny_net")
    assert list(cache.files()) == [record.sha256]
    scores = evaluation.evaluate(model, data=datasets.sample("cifar10"))
    assert scores["accuracy"] == pytest.approx(record.sample_metrics["accuracy"], abs=1e-6)


def test_the_zoos_mirror_serves_the_zoo(tools, host, tmp_path, monkeypatch):
    names = ["linear_regression", "cifar_cnn_basic"]
    copied = tools("mirror_weights").lay_out(tmp_path / "mirror", names)
    sums = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    if shutil.which("sha256sum"):
        subprocess.run(sums, cwd=tmp_path / "mirror", check=True)
    index = json.loads((tmp_path / "mirror" / "index.json").read_text())
    assert sorted(entry["model"] for entry in index.values()) == sorted(names)
    assert set(index) == {path.name for path in copied}

    monkeypatch.setenv("KERAS_FM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_FM_WEIGHTS_URL", host)
    files = [
        store.RemoteFile(name, record.sha256, record.file_size)
        for name in names
        for record in registry.info(name).weights.values()
    ]
    for file in files:
        assert store.sha256_of(store.fetch(file)) == file.sha256


def test_a_mirror_keeps_its_files(tools, tmp_path):
    lay_out = tools("mirror_weights").lay_out
    lay_out(tmp_path / "mirror", ["linear_regression"])
    content = helpers.snapshot(tmp_path / "mirror")
    lay_out(tmp_path / "mirror", ["linear_regression"])
    assert helpers.snapshot(tmp_path / "mirror") == content
    lay_out(tmp_path / "mirror", ["cifar_cnn_basic"])
    assert len(json.loads((tmp_path / "mirror" / "index.json").read_text())) == 2


def test_a_mirror_with_a_damaged_file_is_an_error(tools, tmp_path):
    (path,) = tools("mirror_weights").lay_out(tmp_path / "mirror", ["linear_regression"])
    path.write_bytes(b"x")
    with pytest.raises(WeightsError, match="cut or altered"):
        tools("mirror_weights").lay_out(tmp_path / "mirror", ["linear_regression"])
