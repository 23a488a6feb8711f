"""Every weights file that was ever released still loads, and measures what was claimed of it."""

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
from keras_fm.registry import packages
from keras_fm.registry.metrics import METRICS

RELEASED = old_weights.released(helpers.ROOT) if old_weights.has_history(helpers.ROOT) else []


def check(released, folder):
    """Loads the file as a user would who kept it, and measures it on the bundled sample.

    What ships in the package is measured by the test of all claims; it is only loaded here.
    """
    room, _ = registry.find(released.model)
    if released.sha256 in room.entry.withdrawn:
        return
    assert released.record is not None, f"{released.path} was committed without a record of it"
    path = folder / f"{released.sha256}.weights.h5"
    path.write_bytes(released.content)
    first = ModelSpec.of_pretraining(room) if "task" in released.record else None
    model = building.build(first or ModelSpec.of(room))
    weights.load_weights(model, store.WeightsFile(path, released.sha256))
    if released.sha256 in {record.sha256 for record in room.entry.weights.values()}:
        return
    scores = evaluation.evaluate(model, split=datasets.SAMPLE)
    for name, claimed in released.record["sample"].items():
        assert METRICS[name].same(claimed, scores[name], scores["num_examples"]), (
            name,
            scores[name],
        )


@pytest.mark.skipif(not RELEASED, reason="no history here, as in an archive of the sources")
@pytest.mark.parametrize("released", RELEASED, ids=lambda one: f"{one.path}@{one.sha256[:8]}")
def test_a_file_that_was_released_still_loads(released, tmp_path):
    check(released, tmp_path)


@pytest.mark.skipif(not RELEASED, reason="no history here, as in an archive of the sources")
def test_no_weights_of_the_zoo_are_missing():
    current = {
        record.sha256
        for name in registry.list_models(pretrained=True)
        for record in registry.info(name).weights.values()
        if not record.urls
    }
    committed = {one.sha256 for one in RELEASED}
    if current - committed:
        waiting = old_weights.git(helpers.ROOT, "status", "--porcelain", "--", "zoo").decode()
        assert "entry.toml" in waiting, f"claimed, but never committed: {current - committed}"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Where the repository below is kept, once it is made."""
    return tmp_path_factory.mktemp("made") / "zoo"


@pytest.fixture
def history(tiny_net, made):
    """A repository in which tiny_net's weights were replaced by others; both are released."""
    zoo = tiny_net.parent
    if made.exists():
        shutil.copytree(made, zoo, dirs_exist_ok=True)
        packages.cache_clear()
    else:
        make_history(tiny_net)
        shutil.copytree(zoo, made)
    old, new = old_weights.released(zoo)
    assert new.sha256 == registry.info("tiny_net").weights["first"].sha256
    return old, new


def make_history(room):
    """Commits weights of the room, then others in their place."""
    bare = (room / "entry.toml").read_text()
    old_weights.git(room.parent, "init", "-q")
    for _ in range(2):
        shutil.rmtree(room / "weights", ignore_errors=True)
        (room / "entry.toml").write_text(bare)
        packages.cache_clear()
        helpers.write_weights(room)
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        old_weights.git(room.parent, "add", ".")
        old_weights.git(room.parent, *who, "commit", "-qm", "x")


def test_files_that_were_replaced_are_found_and_load(history, tmp_path):
    for released in history:
        check(released, tmp_path)


def test_a_claim_that_holds_no_more_is_noticed(history, tmp_path):
    history[0].record["sample"]["accuracy"] = 0.9
    with pytest.raises(AssertionError, match="accuracy"):
        check(history[0], tmp_path)


def test_a_file_that_fits_no_more_is_noticed_unless_withdrawn(history, tiny_net, tmp_path):
    source = tiny_net / "model.py"
    source.write_text(source.read_text().replace("width: int = 4", "width: int = 5"))
    room, _ = registry.find("tiny_net")
    room.module("model").build.__defaults__ = (10, 5)
    with pytest.raises(WeightsError, match="does not fit"):
        check(history[0], tmp_path)
    path = tiny_net / "entry.toml"
    path.write_text(f'{path.read_text()}\n[withdrawn]\n{history[0].sha256} = "wider now"\n')
    packages.cache_clear()
    check(history[0], tmp_path)


def test_a_file_without_a_record_is_noticed(history, tmp_path):
    bare = dataclasses.replace(history[0], record=None)
    with pytest.raises(AssertionError, match="without a record"):
        check(bare, tmp_path)
