"""Unknown words of a command line are refused with the nearest known ones."""

import subprocess
import sys

import helpers
import pytest

from keras_fm import cli


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predct", "lstm"], "unknown command 'predct'. Did you mean predict?"),
        (["finetune", "lstm"], "unknown command 'finetune'. Did you mean fine-tune"),
        (["xyz"], "unknown command 'xyz'. Known: list, info, "),
        (["predict", "cifar_cnn", "a.jpg", "--tpo", "5"],
         "unrecognized arguments: --tpo 5. Did you mean --top?"),
        (["evaluate", "lstm", "--slices", "label"], "Did you mean --slice-by"),
        (["export", "lstm", "exports", "--optimise-for", "latency"], "Did you mean --optimize-for"),
        (["train", "cifar_cnn", "--epochs", "2"], "Did you mean --set epochs=2?"),
        (["train", "cifar_cnn", "--epochs=2"], "Did you mean --set epochs=2?"),
        (["train", "cifar_cnn", "--lr", "0.1"], "Did you mean --set learning_rate=0.1?"),
        (["train", "cifar_cnn", "--batch-size", "64"], "Did you mean --set batch_size=64?"),
        (["train", "cifar_cnn", "--batchsize", "64"], "Did you mean --set batch_size=64?"),
        (["train", "cifar_cnn", "--nesterov"], "Did you mean --set nesterov=VALUE?"),
        (["train", "cifar_cnn", "--run_dir", "x"], "Did you mean --run-dir"),
        (["fine-tune", "lstm", "r.csv", "--lora_rank", "4"], "Did you mean --set lora_rank=4?"),
        (["train", "lstm", "--epochs", "2", "--sed", "1"],
         "Did you mean --set epochs=2? Did you mean --seed"),
        (["cache", "list", "--jsn"], "unrecognized arguments: --jsn"),
    ],
)  # fmt: skip
def test_near_words_are_suggested(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    shown = capsys.readouterr().err
    assert caught.value.code == 2
    assert message in shown
    assert shown.startswith("usage: keras-fm")


def test_the_usage_says_how_the_program_was_called():
    process = subprocess.run(
        [sys.executable, "-m", "keras_fm", "predct"],
        capture_output=True, text=True, cwd=helpers.ROOT, check=False,
    )  # fmt: skip
    assert process.returncode == 2
    assert process.stderr.startswith("usage: python -m keras_fm ")
    assert "Did you mean predict?" in process.stderr
