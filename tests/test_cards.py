"""The model cards: their sections and tables, pictures and the commands that reproduce them."""

import re
import sys
from pathlib import Path

import helpers
import msgspec
import pytest
import tensorboard_logs
from PIL import Image

from keras_fm import cli, registry
from keras_fm.registry.entry import Baseline
from keras_fm.registry.metrics import METRICS

PRETRAINED = registry.list_models(pretrained=True)


def rows(table):
    """Return the values of a card's table by claim."""
    return dict(line.strip("| \n").split(" | ", 1) for line in table.splitlines())


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_card_has_the_commands_to_reproduce_it(name):
    card = " ".join((helpers.ROOT / "zoo" / name / "README.md").read_text("utf-8").split())
    recipe = Path(registry.weights_of(name).recipe).stem
    option = "" if recipe == "recipe" else f" --recipe {recipe}"
    for command in (
        f"keras-fm verify {name}",
        f"keras-fm train {name}{option} --seed 0",
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
    entry = registry.info(name)
    claims = rows(tools("claim_tables").cost_table(entry, entry.weights_of()))
    assert claims[f"FLOPs for one {unit}"] == count


def test_metrics_have_the_digits_in_which_the_seeds_differ(tools):
    tables = tools("claim_tables")
    entry = registry.info("linear_regression")
    claims = rows(tables.metrics_table(entry.weights_of()))
    assert claims["RMSE of the log"].startswith(
        "0.136564 | 0.136561 ± 0.000004 (3 seeds) | 0.136564,"
    )
    assert claims["Mean absolute error"].startswith("441.69 | ")
    baselines = rows(tables.baselines_table(entry))
    assert baselines["least squares of the same columns"].startswith("RMSE of the log 0.136551 | `")
    claims = rows(tables.metrics_table(registry.info("mlp").weights_of()))
    assert claims["RMSE of the log"].startswith("0.0874 | ")


def test_a_metric_that_all_seeds_share_has_no_deviation(tools):
    claims = rows(tools("claim_tables").metrics_table(registry.info("gan").weights_of()))
    assert " | 0.0010 (3 seeds) | " in claims["Fréchet distance of real images"]


def test_the_hardware_of_other_seeds_has_a_row(tools):
    def costs(name):
        entry = registry.info(name)
        return rows(tools("claim_tables").cost_table(entry, entry.weights_of()))

    assert costs("mini_bert")["Other seeds"].startswith(
        "seed 1: 3.3 minutes, NVIDIA H200; seed 2: "
    )
    assert "Other seeds" not in costs("cifar_cnn_basic")


def test_the_longer_table_of_models_has_what_trained_them(tools):
    cards = tools("write_cards")
    entry = registry.info("mini_bert")
    assert "| AMD EPYC, 1 cores | 137 |" in cards.zoo_table([entry], more=True)
    assert "AMD EPYC" not in cards.zoo_table([entry])


def test_a_baseline_names_its_metric(tools):
    entry = registry.info("cifar_cnn_basic")
    baselines = [
        Baseline(method=metric, metric=metric, value=0.5, source="b")
        for metric in ("fid", "accuracy")
    ]
    entry = msgspec.structs.replace(entry, baselines=baselines)
    claims = rows(tools("claim_tables").baselines_table(entry))
    assert claims["fid"] == "FID 0.5 | `b`"
    assert claims["accuracy"] == "accuracy 50.00% | `b`"


def test_the_readme_has_the_best_baseline_of_the_metric_that_baselines_have(tools):
    table = tools("write_cards").zoo_table([registry.info(name) for name in PRETRAINED])
    [characters] = [line for line in table.splitlines() if "`char_lstm`" in line]
    assert "| bits per character 2.230 ± 0.006 (3 seeds) | 2.120 |" in characters
    [reviews] = [line for line in table.splitlines() if "`mini_bert`" in line]
    assert "| accuracy 92.35% ± 0.16% (3 seeds) | 90.61% |" in reviews


@pytest.mark.parametrize("name", PRETRAINED)
def test_the_list_shows_the_same_metric_as_the_readme(tools, name, capsys):
    table = tools("write_cards").zoo_table([registry.info(name)])
    shown = table.splitlines()[-1].split(" | ")[4]
    assert cli.main(["list", name]) == 0
    listed = capsys.readouterr().out.splitlines()[-1]
    titles = sorted((metric.title for metric in METRICS.values()), key=len)
    [title] = [title for title in titles if shown.startswith(title)][-1:]
    assert f"  {title} " in listed


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_card_begins_with_the_intended_uses(name):
    card = (helpers.ROOT / "zoo" / name / "README.md").read_text("utf-8")
    headings = re.findall("^## (.*)$", card, re.MULTILINE)
    assert headings[0] == "Intended uses & limitations"
    assert headings[-1] == "References & citation"
    assert f"SHA-256 {registry.info(name).weights_of().sha256}" in card


def test_a_classifier_s_card_says_where_it_is_worst(tools):
    card = tools("model_card").write_card(
        registry.info("cifar_cnn"), helpers.ROOT / "zoo" / "cifar_cnn"
    )
    assert "86.60% where `label` is cat" in card
    assert "19.6% under the corruption `gaussian_noise`" in card


@pytest.mark.parametrize(
    "text",
    [
        "## Training data\nAll.\n",
        "A model.\n\n## Training data\n",
        "A model.\n\n## Intended uses & limitations\n\n## Training data\n\n## Training date\n",
        "A model.\n" + 2 * "## Intended uses & limitations\n" + "## Training data\n",
    ],
    ids=["no paragraph", "no uses", "unknown section", "twice"],
)
def test_prose_that_is_no_card_is_refused(tools, tmp_path, text):
    prose = tmp_path / "card.md"
    with pytest.raises(SystemExit, match="is not there"):
        tools("model_card").read_prose(prose)
    prose.write_text(text, "utf-8")
    with pytest.raises(
        SystemExit, match=r"card\.md has the sections .*; expected a paragraph, then"
    ):
        tools("model_card").read_prose(prose)


def test_learning_curves_have_a_line_for_each_column(tools):
    curves = tools("learning_curves")
    history = {"epoch": [0.0, 1.0], "seconds": [9.0, 9.0], "loss": [2.0, 1.0]}
    history |= {"val_loss": [3.0, 1.5], "accuracy": [0.1, 0.5], "val_accuracy": [0.2, 0.4]}
    svg = curves.draw(history, "accuracy")
    assert svg.count("<polyline") == 4
    assert 'points="52.0,105.0 308.0,170.0"' in svg  # from the middle to the lowest value
    assert ">0.5</text>" in svg
    assert ">validation</text>" in svg
    assert curves.draw(history, "auc").count("<polyline") == 2
    losses = {"generator_loss": [1.0], "discriminator_loss": [2.0]}
    assert ">discriminator</text>" in curves.draw(losses, "accuracy")
    with pytest.raises(ValueError, match=r"\['seconds'\] has no loss"):
        curves.draw({"seconds": [1.0]}, "accuracy")


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_picture_is_of_the_released_weights(tools, name):
    cards, entry = tools("model_card"), registry.info(name)
    file = helpers.ROOT / cards.picture_of(entry)
    assert file.is_file(), f"no {file}: run python tools/make_pictures.py {name}"
    with Image.open(file) as picture:
        digest = picture.text[cards.WEIGHTS_DIGEST]
    message = f"{file} is of other weights: run python tools/make_pictures.py {name}"
    assert digest == entry.weights_of().sha256, message
    assert file.stat().st_size < 12_000


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
        events = tensorboard_logs.read_events(folder)
        for tag in events.Tags()["tensors"]:
            for event in events.Tensors(tag) if tag == "3_recipe" else []:
                text = event.tensor_proto.string_val[0].decode()
                assert re.search(rf'dataset( = "| \| ){dataset}\b', text)
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


@pytest.mark.parametrize("logs", LOGS, ids=lambda logs: logs.name)
def test_the_logs_that_ship_have_the_layout_of_a_training(logs):
    folders = sorted({file.parent.relative_to(logs) for file in logs.rglob("events.*")})
    assert [str(folder) for folder in folders] == ["train", "validation"]
    train, validation = (tensorboard_logs.read_events(logs / folder) for folder in folders)
    train_tags, tags = ({*events.Tags()["tensors"]} for events in (train, validation))
    assert {"3_recipe", "3_optimizer/learning_rate"} <= train_tags
    assert any(tag.startswith("1_loss/") for tag in train_tags)
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= tags
    groups = {tag.partition("/")[0] for tag in train_tags | tags}
    assert all(re.match(r"[1-7]_|(_hparams_|pr_curve)$", group) for group in groups), groups
