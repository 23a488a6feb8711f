"""Exports are compared with the bundled samples, also where the full data are on the machine."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def _no_full_data(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("no_data")))
        yield
