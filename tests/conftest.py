"""Fixtures of all tests; every one works without network and without TFDS data."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is imported
if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and hasattr(os, "sched_setaffinity"):
    # A core for each of pytest's workers: the threads of two that share them wait for each other.
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})

import contextlib
import gc
import importlib
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import helpers
import pytest
import tiny_gan as tiny_gan_package
import tiny_reader as tiny_reader_package

from keras_fm import registry

if TYPE_CHECKING:
    from keras_fm.training.runs import Run


def pytest_collection_finish() -> None:
    """Spare the garbage collector what is imported by then: a quarter of test_training's time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets reach this machine alone."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0]
            assert host in ("127.0.0.1", "::1", "localhost"), f"a test opened a socket to {host}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> "Run":
    """One epoch of cifar_cnn_basic on the bundled sample: 200 examples, and 56 to validate."""
    return helpers.train_small(tmp_path_factory.mktemp("runs") / "small")


@pytest.fixture(scope="session")
def small_version(small_run: "Run", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of the small run, which its tests share: they read it alone."""
    from keras_fm.exporting import saved_model

    return saved_model.export(small_run.model, tmp_path_factory.mktemp("x") / "cifar_cnn_basic")


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """`stop_at(2)`: the next training is interrupted in its third epoch, `stop_at(None)`: not."""
    import keras

    from keras_fm.training import monitoring

    callbacks = monitoring.callbacks

    class StopAt(keras.callbacks.Callback):
        def __init__(self, epoch: int | None) -> None:
            super().__init__()
            self.epoch = epoch

        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.now = epoch

        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            if self.now == self.epoch and batch == 1:
                raise KeyboardInterrupt

    def stop_at(epoch: int | None) -> None:
        monkeypatch.setattr(
            monitoring, "callbacks", lambda *given: [*callbacks(*given), StopAt(epoch)]
        )

    return stop_at


@pytest.fixture
def uninterrupted_and_resumed(
    tmp_path: Path, stop_at: Callable[[int | None], None]
) -> Callable[..., tuple["Run", "Run"]]:
    """`uninterrupted_and_resumed("tiny_net", 1)`: two runs, one stopped in its second epoch."""
    from keras_fm.training import training

    def both(name: str, epoch: int, **options: object) -> tuple["Run", "Run"]:
        def train(folder: str, **more: object) -> "Run":
            return training.train(name, data="sample", run_dir=tmp_path / folder, **more)

        uninterrupted = train("uninterrupted", **options)
        stop_at(epoch)
        with pytest.raises(KeyboardInterrupt, match="--resume"):
            train("stopped", **options)
        assert not (tmp_path / "stopped" / "result.json").exists()
        stop_at(None)
        return uninterrupted, train("stopped", resume=True)

    return both


@pytest.fixture
def no_tfds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that this machine has no TFDS data."""
    from keras_fm.data import datasets

    monkeypatch.setattr(datasets, "is_prepared", lambda dataset: False)


@contextlib.contextmanager
def _installs(site: Path) -> Iterator[Callable[..., Path]]:
    """A function that installs packages of models into `site`, until the context ends."""
    installed: list[str] = []

    with pytest.MonkeyPatch.context() as monkeypatch:

        def install(points: dict[str, str], package: str = "their_zoo") -> Path:
            helpers.write_package(site, package, points)
            installed.append(package)
            importlib.invalidate_caches()
            if str(site) not in sys.path:
                monkeypatch.syspath_prepend(site)
            registry.clear_cache()
            return site / package

        yield install
    registry.clear_cache()
    for module in list(sys.modules):
        if module.partition(".")[0] in installed:
            del sys.modules[module]


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """`install({"tiny_net": "their_zoo.tiny_net"})`: a distribution with models of its own."""
    with _installs(tmp_path / "site-packages") as install:
        yield install


@pytest.fixture(scope="module")
def module_install(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """The same for all tests of a module."""
    with _installs(tmp_path_factory.mktemp("site-packages")) as install:
        yield install


@pytest.fixture
def tiny_net(install: Callable[..., Path]) -> Path:
    """The folder of `tiny_net`, a model with batch normalization, of another distribution."""
    package = install({"tiny_net": "their_zoo.tiny_net"}) / "tiny_net"
    helpers.write_tiny_package(package)
    return package


@pytest.fixture
def tiny_gan(install: Callable[..., Path]) -> Path:
    """The folder of `tiny_gan`, a generator that `tiny_net` evaluates."""
    return tiny_gan_package.install(install)


@pytest.fixture
def tiny_reader(install: Callable[..., Path]) -> Path:
    """The folder of `tiny_reader`, a text classifier; `tiny_filler` is pretrained by fill-mask."""
    return tiny_reader_package.install(install)


@pytest.fixture
def tools() -> Iterator[Callable[[str], ModuleType]]:
    """`tools("write_cards")`: a module of tools/, imported anew in each test."""
    pytest.importorskip("tomlkit")
    folder = helpers.ROOT / "tools"
    # Not the test's own `monkeypatch`: it is undone after `install`, and would bring its path back.
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(str(folder))
        yield importlib.import_module
    for file in folder.glob("*.py"):
        sys.modules.pop(file.stem, None)
