"""Each tab of TensorBoard shows what it should: by hand, in headless Chromium by Playwright."""

import shutil

import pytest

import keras_fm

EXPECTED = {
    "timeseries": ["1_loss", "2_metrics", "3_optimizer", "4_speed"],
    "images": ["6_pictures/confusion_matrix", "6_pictures/reliability", "6_pictures"],
    "text": ["1_model", "2_data", "3_recipe", "4_environment"],
    "graphs": ["Main Graph", "embedding"],
    "pr_curves": ["pr_curve/airplane"],
    "hparams": ["learning_rate", "Trial ID", "epochs"],
    "projector": ["Points: 51", "Dimension: 64"],
}


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    keras_fm.train("cifar_cnn_basic", data="sample", epochs=2, run_dir=run_dir, verbose=0)
    return run_dir


@pytest.mark.by_hand
def test_each_tab_shows_what_it_should(tools, logs):
    pytest.importorskip("playwright")
    if shutil.which("chromium") is None:
        pytest.skip("no chromium on PATH")
    screenshots = tools("screenshots")
    missing = []
    with screenshots.tensorboard(logs) as address, screenshots.browser_page() as page:
        for tab, texts in EXPECTED.items():
            screenshots.open_tab(page, address, tab)
            # The projector is in a frame of its own.
            shown = [
                text for frame in page.frames for text in texts if frame.get_by_text(text).count()
            ]
            missing += [(tab, text) for text in texts if text not in shown]
    assert not missing
