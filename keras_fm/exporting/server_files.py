"""What stands beside the versions of an export: how TF Serving runs them, and how to ask it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from keras_fm.exporting.warmup import BATCH_SIZES
from keras_fm.serving import rest
from keras_fm.tasks.task import Signature

MODELS = "/models"  # where the server's container looks
SHOWN = 300  # characters of a request that the README shows
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

Written by `keras-fm export`; the next export into this folder writes it and `requests/` anew, the
other files only where they are missing.

```sh
docker run --rm -p 8500:8500 -p 8501:8501 \\
  -v "$PWD:{models}/{name}" -e MODEL_NAME={name} tensorflow/serving
```

With batching of requests and figures for Prometheus, at `/monitoring/prometheus/metrics`:

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
{asked}
```
"""


def write_server_files(base: Path, name: str, endpoints: Mapping[str, Signature]) -> None:
    """Writes the configuration where there is none yet, and the README with its requests."""
    for file, text in {"models.config": models_config([name]), **CONFIGS}.items():
        if not (base / file).exists():  # somebody may have tuned it
            (base / file).write_text(text, "utf-8")
    requests = base / "requests"
    requests.mkdir(exist_ok=True)
    signatures = ""
    for signature, endpoint in endpoints.items():
        body = rest.encode_request(signature, endpoint.example)
        (requests / f"{signature}.json").write_text(f"{body}\n", "utf-8")
        signatures += SIGNATURE.format(
            signature=signature, inputs=_inputs(endpoint), asked=_curl(name, signature, body)
        )
    text = README.format(name=name, models=MODELS, signatures=signatures)
    (base / "README.md").write_text(text, "utf-8")


def models_config(names: Iterable[str]) -> str:
    """The `--model_config_file` of models that lie in folders of their names."""
    models = "".join(
        f'  config {{ name: "{name}" base_path: "{MODELS}/{name}" model_platform: "tensorflow" }}\n'
        for name in names
    )
    return f"model_config_list {{\n{models}}}\n"


def _inputs(endpoint: Signature) -> str:
    return "\n".join(
        f"- `{spec.name}`: {spec.dtype.name} `[{', '.join(_size(size) for size in spec.shape)}]`"
        for spec in endpoint.specs.values()
    )


def _size(size: int | None) -> str:
    return "any" if size is None else str(size)


def _curl(name: str, signature: str, body: str) -> str:
    url = f"http://localhost:8501/v1/models/{name}:predict"
    quoted = body.replace("'", "'\\''")
    given = f"'{quoted}'" if len(body) <= SHOWN else f"@requests/{signature}.json"
    return f"curl {url} -d {given}"
