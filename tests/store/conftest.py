"""A cache of the tests' own, and a model whose weights are not in its package."""

import helpers
import pytest
from dummy_weights import BODY, SHA256

from keras_fm.store import downloads


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder of downloads; pauses between them are short."""
    for name in ("KERAS_FM_WEIGHTS_URL", "KERAS_FM_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_FM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(downloads, "BACKOFF_SECONDS", 0.001)
    return tmp_path / "home" / "weights"


@pytest.fixture
def package(tiny_net):
    """The folder of a model whose weights are not in its package; a dummy file has their sha256."""
    helpers.write_record(tiny_net, file_size=len(BODY), sha256=SHA256)
    return tiny_net
