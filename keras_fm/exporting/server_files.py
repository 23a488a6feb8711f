"""The files beside the versions of an export: TF Serving's configuration, a README, requests."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from keras_fm.exporting.warmup import BATCH_SIZES
from keras_fm.serving import rest
from keras_fm.tasks.base import Signature

MODELS = "/models"  # where the server's container looks
MAX_SHOWN = 300  # characters of a request that the README shows
CONFIGS = {
    "batching_parameters.txt": "\n".join(
        [
            f"max_batch_size {{ value: {BATCH_SIZES[-1]} }}",
            "batch_timeout_micros { value: 1000 }",
            "max_enqueued_batches { value: 100 }",
            "num_batch_threads { value: 2 }",
            *(f"allowed_batch_sizes: {size}" for size in BATCH_SIZES),
            "",
        ]
    ),
    "monitoring.config": (
        'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }\n'
    ),
}

README = """# {name}, for TF Serving

Written by `keras-fm export`; the next export into this folder overwrites it and `requests/`, the
other files only where they are missing.

```sh
docker run --rm -p 8500:8500 -p 8501:8501 \\
  -v "$PWD:{models}/{name}" -e MODEL_NAME={name} tensorflow/serving
```

With batching of requests and metrics for Prometheus, at `/monitoring/prometheus/metrics`:

```sh
docker run --rm -p 8500:8500 -p 8501:8501 -v "$PWD:{models}/{name}" tensorflow/serving \\
  --model_config_file={models}/{name}/models.config --enable_batching \\
  --batching_parameters_file={models}/{name}/batching_parameters.txt \\
  --monitoring_config_file={models}/{name}/monitoring.config
```

8501 speaks REST, 8500 gRPC. The server takes the highest version, and a new one when it appears.
{signatures}"""

SIGNATURE = """
## {signature}

{inputs}

```sh
{request}
```
"""


def write_server_files(base: Path, name: str, signatures: Mapping[str, Signature]) -> None:
    """Write the configuration where there is none yet, and the README with its requests.

    Args:
        base: The folder of the versions.
        name: Of the model in the server.
        signatures: By name.
    """
    for file, text in {"models.config": models_config([name]), **CONFIGS}.items():
        if not (base / file).exists():  # somebody may have tuned it
            (base / file).write_text(text, "utf-8")
    requests = base / "requests"
    requests.mkdir(exist_ok=True)
    sections = ""
    for signature_name, signature in signatures.items():
        body = rest.encode_request(signature_name, signature.example_inputs)
        (requests / f"{signature_name}.json").write_text(f"{body}\n", "utf-8")
        sections += SIGNATURE.format(
            signature=signature_name,
            inputs=_format_inputs(signature),
            request=_curl(name, signature_name, body),
        )
    text = README.format(name=name, models=MODELS, signatures=sections)
    (base / "README.md").write_text(text, "utf-8")


def served_name(base: Path) -> str:
    """Return the name of a model in the server: that of the folder of its versions."""
    return re.sub(r"[^\w.-]+", "_", base.resolve().name, flags=re.ASCII).strip("_") or "model"


def models_config(names: Iterable[str]) -> str:
    """Return the `--model_config_file` of models that lie in folders of their names."""
    models = "".join(
        f'  config {{ name: "{name}" base_path: "{MODELS}/{name}" model_platform: "tensorflow" }}\n'
        for name in names
    )
    return f"model_config_list {{\n{models}}}\n"


def _format_inputs(signature: Signature) -> str:
    lines = [
        f"- `{spec.name}`: {spec.dtype.name} `[{', '.join(_format_size(n) for n in spec.shape)}]`"
        for spec in signature.specs.values()
    ]
    return "\n".join([*lines, *(["", signature.note] if signature.note else [])])


def _format_size(size: int | None) -> str:
    return "any" if size is None else str(size)


def _curl(name: str, signature_name: str, body: str) -> str:
    url = f"http://localhost:8501/v1/models/{name}:predict"
    quoted = body.replace("'", "'\\''")
    data = f"'{quoted}'" if len(body) <= MAX_SHOWN else f"@requests/{signature_name}.json"
    return f"curl {url} -d {data}"
