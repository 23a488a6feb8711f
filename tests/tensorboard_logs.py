"""What TensorBoard reads of a run."""

import re
from pathlib import Path
from typing import Any


def read_events(folder: Path) -> Any:
    """Return TensorBoard's `EventAccumulator` of a folder of event files, with all tensors."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), {"tensors": 0}).Reload()


def check_board(path: Path, train: set[str], validation: set[str]) -> None:
    """Check that TensorBoard shows a run as all tasks', and with these tags of its task.

    Args:
        path: The run directory.
        train: Tags of the training.
        validation: Tags of what was validated.
    """
    folders = sorted({file.parent.name for file in (path / "logs").rglob("events.*")})
    assert folders == ["train", "validation"]
    events = [read_events(path / "logs" / folder) for folder in folders]
    assert events[0].Tags()["graph"]
    train_tags, validation_tags = ({*folder.Tags()["tensors"]} for folder in events)
    texts = {"1_model", "2_data", "3_recipe", "4_environment"}
    optimizer = {"3_optimizer/learning_rate", "3_optimizer/gradient_norm"}
    assert texts | optimizer | train <= train_tags
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} | validation <= validation_tags
    groups = {tag.partition("/")[0] for tag in train_tags | validation_tags}
    assert all(re.match(r"[1-7]_|_hparams_$|pr_curve$", group) for group in groups), groups
