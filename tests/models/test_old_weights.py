"""Every weights file that was ever released still loads, and has the metrics claimed of it."""

import dataclasses
import shutil

import helpers
import old_weights
import pytest

from keras_fm import registry, store
from keras_fm.data import datasets
from keras_fm.errors import WeightsError
from keras_fm.evaluation import evaluation
from keras_fm.models import building, weights
from keras_fm.models.spec import ModelSpec
from keras_fm.registry.metrics import METRICS

RELEASED = old_weights.released(helpers.ROOT) if old_weights.has_history(helpers.ROOT) else []


def check(released, folder):
    """Load the file as a user who kept it would, and evaluate it on the bundled sample.

    What ships in the package is evaluated by `verify`'s test; it is only loaded here.
    """
    package, _ = registry.find(released.model)
    if released.sha256 in package.entry.withdrawn:
        return
    assert released.record is not None, f"{released.path} was committed without a record of it"
    path = folder / f"{released.sha256}.weights.h5"
    path.write_bytes(released.content)
    of_pretraining = "task" in released.record
    spec = ModelSpec.of_pretraining(package) if of_pretraining else ModelSpec.of(package)
    model = building.build(spec)
    weights.load_weights(model, store.WeightsFile(path, released.sha256))
    if released.sha256 in {record.sha256 for record in package.entry.weights.values()}:
        return
    scores = evaluation.evaluate(model, split=datasets.SAMPLE)
    for name, claimed in released.sample_metrics.items():
        agrees = METRICS[name].agrees(claimed, scores[name], scores["num_examples"])
        assert agrees, f"{name} is {scores[name]}, claimed {claimed}"


@pytest.mark.skipif(not RELEASED, reason="no history here, as in an archive of the sources")
@pytest.mark.parametrize("released", RELEASED, ids=lambda file: f"{file.path}@{file.sha256[:8]}")
def test_a_file_that_was_released_still_loads(released, tmp_path):
    check(released, tmp_path)


@pytest.mark.skipif(not RELEASED, reason="no history here, as in an archive of the sources")
def test_all_weights_of_the_zoo_are_committed():
    current = {
        record.sha256
        for name in registry.list_models(pretrained=True)
        for record in registry.info(name).weights.values()
        if not record.urls
    }
    committed = {file.sha256 for file in RELEASED}
    if current - committed:
        status = ("status", "--porcelain", "--untracked-files=all", "--", "zoo")
        uncommitted = old_weights.git(helpers.ROOT, *status).decode()
        assert "entry.toml" in uncommitted, f"claimed, but never committed: {current - committed}"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The folder of the repository below, once it is made."""
    return tmp_path_factory.mktemp("repository") / "zoo"


@pytest.fixture
def history(tiny_net, repository):
    """The released weights of a repository in which those of tiny_net were replaced."""
    zoo = tiny_net.parent
    if repository.exists():
        shutil.copytree(repository, zoo, dirs_exist_ok=True)
        registry.clear_cache()
    else:
        make_history(tiny_net)
        shutil.copytree(zoo, repository)
    old, new = old_weights.released(zoo)
    assert new.sha256 == registry.info("tiny_net").weights["first"].sha256
    return old, new


def make_history(package):
    """Commit weights of the package, then others in their stead."""
    entry = (package / "entry.toml").read_text()
    old_weights.git(package.parent, "init", "-q")
    for seed in range(2):
        shutil.rmtree(package / "weights", ignore_errors=True)
        (package / "entry.toml").write_text(entry)
        registry.clear_cache()
        helpers.write_weights(package, seed=seed)
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        old_weights.git(package.parent, "add", ".")
        old_weights.git(package.parent, *identity, "commit", "-qm", "x")


def test_files_that_were_replaced_are_found_and_load(history, tmp_path):
    for released in history:
        check(released, tmp_path)


def test_a_claim_that_is_no_longer_met_is_noticed(history, tmp_path):
    history[0].record["sample_metrics"]["accuracy"] = 0.9
    with pytest.raises(AssertionError, match="accuracy"):
        check(history[0], tmp_path)


def test_a_file_that_no_longer_fits_is_noticed_unless_withdrawn(history, tiny_net, tmp_path):
    source = tiny_net / "model.py"
    source.write_text(source.read_text().replace("width: int = 4", "width: int = 5"))
    package, _ = registry.find("tiny_net")
    package.module("model").build.__defaults__ = (10, 5)
    with pytest.raises(WeightsError, match="does not fit"):
        check(history[0], tmp_path)
    path = tiny_net / "entry.toml"
    path.write_text(f'{path.read_text()}\n[withdrawn]\n{history[0].sha256} = "wider now"\n')
    registry.clear_cache()
    check(history[0], tmp_path)


def test_a_file_without_a_record_is_noticed(history, tmp_path):
    unrecorded = dataclasses.replace(history[0], record=None)
    with pytest.raises(AssertionError, match="without a record"):
        check(unrecorded, tmp_path)
