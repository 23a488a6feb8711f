"""One table of HParams for runs of several models.

TensorBoard takes the columns from one run that names any, and drops what others have beside them.
So the columns of all are named by a run above them, which is empty but for that.
"""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_EVENTS = "events.out.tfevents.*"
# TensorBoard's fast loader has runs in no order; the other one begins with the run above them.
ARGUMENTS = ("--load_fast", "false")


def write_columns(logs: Mapping[str, Path], folder: Path) -> bool:
    """Write the columns of all logs into a folder, in which they lie or are linked.

    Args:
        logs: Folders of event files by name.
        folder: Gets an event file, where the logs have different columns.

    Returns:
        Whether they do.
    """
    pairs = [pair for path in logs.values() if (pair := read_columns(path)) is not None]
    experiments = [experiment for experiment, _ in pairs]
    if len({_names(experiment) for experiment in experiments}) < 2:
        return False
    from tensorboard.compat.proto import event_pb2
    from tensorboard.plugins.hparams import summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    metrics = {
        metric.name.tag: metric for experiment in experiments for metric in experiment.metric_infos
    }
    merged = summary.experiment_pb(_hparam_infos(pairs), list(metrics.values()))
    event = event_pb2.Event(wall_time=time.time(), step=0)
    event.summary.ParseFromString(merged.SerializeToString())
    writer = EventFileWriter(str(folder))
    writer.add_event(event)
    writer.close()
    return True


def read_columns(logs: Path) -> tuple[Any, Mapping[str, Any]] | None:
    """Return the `Experiment` of a run's logs, and its hyperparameters; None where it has none."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.plugins.hparams import metadata

    experiment, values = None, {}
    for file in sorted(logs.rglob(_EVENTS)):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                content = value.metadata.plugin_data.content
                if value.tag == metadata.EXPERIMENT_TAG:
                    experiment = metadata.parse_experiment_plugin_data(content)
                elif value.tag == metadata.SESSION_START_INFO_TAG:
                    values = metadata.parse_session_start_info_plugin_data(content).hparams
    return None if experiment is None else (experiment, values)


def _names(experiment: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of the hyperparameters and of the metrics."""
    return (
        frozenset(info.name for info in experiment.hparam_infos),
        frozenset(info.name.tag for info in experiment.metric_infos),
    )


def _hparam_infos(pairs: Iterable[tuple[Any, Mapping[str, Any]]]) -> list[Any]:
    """Return the hyperparameters of all runs; those differ that do in a run, or between runs."""
    from tensorboard.plugins.hparams import api_pb2

    pairs = list(pairs)
    infos: dict[str, Any] = {}
    for experiment, _ in pairs:
        for info in experiment.hparam_infos:
            known = infos.setdefault(info.name, info)
            if known.type != info.type:
                known.type = api_pb2.DATA_TYPE_STRING
            known.differs = known.differs or info.differs
    for name, info in infos.items():
        values = {str(hparams[name]) if name in hparams else None for _, hparams in pairs}
        info.differs = info.differs or len(values) > 1
    return [*infos.values()]
