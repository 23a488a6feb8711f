"""What a trained model predicts, for TensorBoard: pictures, texts, curves, embeddings."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from keras_fm.data.examples import Examples
from keras_fm.lazy_imports import tf
from keras_fm.tasks import pictures
from keras_fm.tasks.base import Images, ProjectorPoints, Summaries
from keras_fm.training.attention_maps import attention_images
from keras_fm.training.event_files import LOGS, PICTURES, VALIDATION, event_writer

SPRITE_SIDE = 64  # pixels of a picture in the projector
_MAX_SPRITE = 8192  # what browsers take


def write_results(
    path: Path, summaries: Summaries, model: keras.Model, outputs: Any, validation: Examples
) -> None:
    """Add pictures, texts and curves of a trained model to the logs of the run in `path`.

    Args:
        path: The run directory.
        summaries: Of the task.
        model: The trained model.
        outputs: For the validation examples; None where the metrics need no outputs.
        validation: The examples.
    """
    if outputs is not None:
        writer = event_writer(path, VALIDATION)
        with writer.as_default(step=0):
            write_images(PICTURES, summaries.result_images(outputs, validation))
            write_images(PICTURES, attention_images(model, validation))
            for name, text in summaries.result_texts(outputs, validation).items():
                tf.summary.text(f"5_{name}", text)
            for name, (positive, scores) in summaries.binary_scores(outputs, validation).items():
                _write_pr_curve(name, positive, scores)
        writer.close()
    write_projector(path, summaries.projector_points(model, validation))


def write_images(group: str, images: Images) -> None:
    """Write images, uint8 `[rows, columns, channels]` by name, by the current writer."""
    for name, image in images.items():
        tf.summary.image(f"{group}/{name}", image[None])


def write_projector(path: Path, points: ProjectorPoints | None) -> None:
    """Add points for TensorBoard's projector to the logs of the run in `path`.

    The projector shows no folder without an event file.
    """
    if points is None:
        return
    from tensorboard.plugins import projector

    logs = path / LOGS / VALIDATION
    # A fourth digit would make the file a quarter larger, and no picture shows it.
    np.savetxt(logs / "embeddings.tsv", points.vectors, "%.3g", "\t")
    names, columns = zip(*points.metadata.items(), strict=True)
    rows = [names, *zip(*columns, strict=True)]
    lines = ("\t".join(cell.replace("\t", " ") for cell in row) for row in rows)
    (logs / "metadata.tsv").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add(tensor_name="embedding")
    embedding.tensor_path, embedding.metadata_path = "embeddings.tsv", "metadata.tsv"
    if points.images is not None:
        embedding.sprite.image_path = "sprite.png"
        embedding.sprite.single_image_dim.extend(_write_sprite(logs / "sprite.png", points.images))
    projector.visualize_embeddings(str(logs), config)


def _write_sprite(file: Path, images: np.ndarray) -> list[int]:
    """Write the images side by side, as the projector wants them; return width and height."""
    columns = int(np.ceil(np.sqrt(len(images))))
    height, width = images.shape[1:3]
    scale = min(1.0, SPRITE_SIDE / max(height, width), _MAX_SPRITE / columns / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = [
        Image.fromarray(image.squeeze()).resize(size, Image.Resampling.BOX) for image in images
    ]
    pixels = np.stack([np.asarray(image.convert("RGB")) for image in small])
    Image.fromarray(pictures.image_grid(pixels, columns, zoom=1)).save(file)
    return [*size]


def _write_pr_curve(name: str, positive: np.ndarray, scores: np.ndarray) -> None:
    from tensorboard.plugins.pr_curve import summary

    curve = summary.pb(f"pr_curve/{name}", positive, scores.astype("float32"))
    tf.summary.experimental.write_raw_pb(curve.SerializeToString(), step=0)
