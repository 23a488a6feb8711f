"""The model cards: what their tables say, and that each has the commands to reproduce it."""

import sys

import helpers
import msgspec
import pytest

from keras_fm import registry
from keras_fm.registry.entry import Baseline

PRETRAINED = registry.list_models(pretrained=True)


def rows(table):
    """Return the values of a card's table by claim."""
    return dict(line.strip("| \n").split(" | ", 1) for line in table.splitlines())


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_card_has_the_commands_to_reproduce_it(name):
    card = " ".join((helpers.ROOT / "zoo" / name / "README.md").read_text("utf-8").split())
    for command in (
        f"keras-fm verify {name}",
        f"keras-fm train {name} --seed 0",
        f"tensorboard --logdir zoo/{name}/weights",
        f"keras-fm export {name} exports/{name}",
    ):
        assert f"`{command}`" in card, f"zoo/{name}/README.md has no `{command}`"


@pytest.mark.parametrize(
    ("name", "unit", "count"),
    [
        ("linear_regression", "example", "92"),
        ("cifar_cnn", "example", "236.4 million"),
        ("char_lstm", "character of a text", "6.9 million"),
        ("lstm", "word of a text", "1.6 million"),
        ("mini_bert", "token of a text", "6.3 million"),
    ],
)
def test_a_card_says_what_its_flops_are_counted_for(tools, name, unit, count):
    claims = rows(tools("write_cards").card_table(registry.info(name)))
    assert claims[f"FLOPs for one {unit}"] == count


def test_metrics_have_the_digits_in_which_the_seeds_differ(tools):
    table = tools("write_cards").card_table
    claims = rows(table(registry.info("linear_regression")))
    assert claims["RMSE of the log, mean over seeds"] == "0.136561 ± 0.000004 (3 seeds)"
    assert claims["RMSE of the log, of the stored file"] == "0.136564"
    assert claims["Baseline: least squares of the same columns"].startswith("0.136551, ")
    assert claims["Mean absolute error, of the stored file"] == "441.69"
    assert rows(table(registry.info("mlp")))["RMSE of the log, of the stored file"] == "0.0874"


def test_a_metric_that_all_seeds_share_has_no_deviation(tools):
    claims = rows(tools("write_cards").card_table(registry.info("gan")))
    assert claims["Fréchet distance of real images, mean over seeds"] == "0.0010 (3 seeds)"


def test_the_hardware_of_other_seeds_has_a_row(tools):
    cards = tools("write_cards")
    entry = registry.info("mini_bert")
    claims = rows(cards.card_table(entry))
    assert claims["... of other seeds"].startswith("1: 3.3 minutes, NVIDIA H200; 2: ")
    assert "137 min |" in cards.zoo_table([entry])
    assert "... of other seeds" not in rows(cards.card_table(registry.info("lstm")))


def test_a_baseline_of_another_metric_names_it(tools):
    entry = registry.info("cifar_cnn_basic")
    baselines = [
        Baseline(method=metric, metric=metric, value=0.5, source="b")
        for metric in ("fid", "accuracy")
    ]
    entry = msgspec.structs.replace(entry, baselines=baselines)
    claims = rows(tools("write_cards").card_table(entry))
    assert claims["Baseline: fid"] == "FID 0.5, `b`"
    assert claims["Baseline: accuracy"] == "50.00%, `b`"


def test_the_readme_has_the_best_baseline_of_the_metric_that_baselines_have(tools):
    table = tools("write_cards").zoo_table([registry.info(name) for name in PRETRAINED])
    [characters] = [line for line in table.splitlines() if "`char_lstm`" in line]
    assert "| bits per character 2.230 ± 0.006 (3 seeds) | 2.120, nanoGPT" in characters
    [reviews] = [line for line in table.splitlines() if "`mini_bert`" in line]
    assert "| accuracy 92.35% ± 0.16% (3 seeds) | 90.61%, logistic" in reviews


def test_models_of_the_same_reviews_share_a_baseline(tools):
    baselines = tools("baselines").BASELINES
    assert baselines["mini_bert"] is baselines["lstm"]


@pytest.mark.parametrize("name", ["lstm", "mlp"])
def test_a_baseline_says_which_package_it_needs(tools, name, monkeypatch, capsys):
    baselines = tools("baselines")
    monkeypatch.setattr(baselines, "find_spec", lambda module: None)
    monkeypatch.setattr(sys, "argv", ["baselines", name])
    with pytest.raises(SystemExit):
        baselines.main()
    assert 'scikit-learn: pip install ".[baselines]"' in capsys.readouterr().err


def test_tensorboard_finds_the_embeddings_that_ship():
    configs = [*(helpers.ROOT / "zoo").glob("*/weights/*.logs/**/projector_config.pbtxt")]
    assert configs
    for config in configs:
        assert [*config.parent.glob("events.out.tfevents.*")], f"no event file beside {config}"
        assert (config.parent / "embeddings.tsv").is_file(), config


LOGS = sorted((helpers.ROOT / "zoo").glob("*/weights/*.logs"))


@pytest.mark.parametrize("logs", LOGS, ids=lambda logs: logs.name)
def test_the_logs_that_ship_name_their_data_and_no_folder(logs):
    from tensorboard.plugins.hparams import plugin_data_pb2

    dataset = registry.info(logs.parents[1].name).dataset
    for folder in {file.parent for file in logs.rglob("events.out.tfevents.*")}:
        events = helpers.read_events(folder)
        for tag in events.Tags()["tensors"]:
            for event in events.Tensors(tag) if tag == "recipe" else []:
                assert f'dataset = "{dataset}"' in event.tensor_proto.string_val[0].decode()
        if "_hparams_/session_start_info" in events.Tags()["tensors"]:
            content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
            info = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
            assert info.hparams["dataset"].string_value == dataset
            assert info.hparams["model"].string_value == logs.parents[1].name
            texts = [info.group_name, *(value.string_value for value in info.hparams.values())]
            assert not [text for text in texts if "/" in text or "\\" in text]
    folders = (b"/home/", b"/tmp/", b"/root/", b"/work/", b"/Users/", b"C:\\Users")
    for file in logs.rglob("*"):
        if file.is_file():
            assert not [folder for folder in folders if folder in file.read_bytes()], file
