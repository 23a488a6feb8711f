"""The manifests in `deploy/` follow their schemas and name what an export writes."""

import importlib.resources
import json
import re

import helpers
import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from keras_fm.distribution.arguments import parse_hosts
from keras_fm.exporting import server_files

DEPLOY = helpers.ROOT / "deploy"


def documents(name):
    yaml = pytest.importorskip("yaml")
    return [*yaml.safe_load_all((DEPLOY / name).read_text("utf-8"))]


def flags(arguments):
    pairs = (argument.removeprefix("--").partition("=") for argument in arguments)
    return {name: value for name, _, value in pairs}


def test_compose_follows_its_specification():
    jsonschema = pytest.importorskip("jsonschema")
    check_jsonschema = pytest.importorskip("check_jsonschema")
    file = importlib.resources.files(check_jsonschema) / "builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(file.read_text("utf-8"))
    [compose] = documents("compose.yaml")
    jsonschema.validate(compose, schema)
    compose["services"]["serving"]["portz"] = []
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(compose, schema)


def test_the_manifest_follows_the_schema_of_kubernetes():
    validate = pytest.importorskip("kubernetes_validate")
    version = validate.latest_version()
    for document in documents("kubernetes.yaml"):
        validate.validate(document, version, strict=True)
    document["spec"]["portz"] = []
    with pytest.raises(validate.ValidationError):
        validate.validate(document, version, strict=True)


# The fields of a JobSet (v1alpha2), as its OpenAPI definition has them; a template is a Job's.
_TEXT, _COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
JOBSET = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "jobset.x-k8s.io/v1alpha2"},
        "kind": {"const": "JobSet"},
        "metadata": {"type": "object", "required": ["name"]},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "failurePolicy": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"maxRestarts": _COUNT, "restartStrategy": _TEXT},
                },
                "ttlSecondsAfterFinished": _COUNT,
                "replicatedJobs": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["name", "template"],
                        "properties": {
                            "name": _TEXT,
                            "replicas": _COUNT,
                            "template": {"type": "object", "required": ["spec"]},
                        },
                    },
                },
            },
        },
    },
}


def test_the_training_follows_the_schema_of_jobset():
    jsonschema = pytest.importorskip("jsonschema")
    jobset = documents("jobset.yaml")[1]
    jsonschema.validate(jobset, JOBSET)
    jobset["spec"]["replicas"] = 2
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(jobset, JOBSET)


def test_the_jobs_of_the_training_follow_the_schema_of_kubernetes():
    validate = pytest.importorskip("kubernetes_validate")
    version = validate.latest_version()
    volume, jobset = documents("jobset.yaml")
    validate.validate(volume, version, strict=True)
    for replicated_job in jobset["spec"]["replicatedJobs"]:
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "training"}}
        validate.validate(job | replicated_job["template"], version, strict=True)


def test_the_processes_of_the_training_name_the_same_ones():
    jobset = documents("jobset.yaml")[1]
    name, jobs = jobset["metadata"]["name"], jobset["spec"]["replicatedJobs"]
    count = sum(job["template"]["spec"].get("completions", 1) for job in jobs)
    scripts = [
        job["template"]["spec"]["template"]["spec"]["containers"][0]["args"][0] for job in jobs
    ]
    indices = ["0", "0", "1", "2"]  # of the chief, and of the workers as Kubernetes counts them
    received = []
    for script, index in zip([scripts[0], *[scripts[1]] * (count - 1)], indices, strict=True):
        [text] = re.findall(r'--hosts "(.*)"', script)
        received.append(text.replace("$((JOB_COMPLETION_INDEX + 1))", str(int(index) + 1)))
    hosts = [parse_hosts(text) for text in received]
    assert {x.address for x in hosts} == {f"{name}-{jobs[0]['name']}-0-0.{name}:55527"}
    assert {x.count for x in hosts} == {count}
    assert [x.index for x in hosts] == [*range(count)]


def test_compose_and_kubernetes_run_the_server_with_the_files_of_an_export():
    [compose] = documents("compose.yaml")
    deployment = documents("kubernetes.yaml")[1]
    command = flags(compose["services"]["serving"]["command"])
    assert command == flags(deployment["spec"]["template"]["spec"]["containers"][0]["args"])
    files = [command["batching_parameters_file"], command["monitoring_config_file"]]
    assert files == [f"{server_files.MODELS}/cifar_cnn/{name}" for name in server_files.CONFIGS]


def test_version_labels_name_served_versions():
    text = (DEPLOY / "models.config").read_text("utf-8")
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    [model] = config.model_config_list.config
    served = model.model_version_policy.specific.versions
    assert set(model.version_labels) == {"stable", "canary"}
    assert set(model.version_labels.values()) <= set(served)


def test_prometheus_scrapes_the_path_of_the_server():
    [prometheus] = documents("prometheus.yml")
    [job] = prometheus["scrape_configs"]
    assert f'path: "{job["metrics_path"]}"' in server_files.CONFIGS["monitoring.config"]
    deployment = documents("kubernetes.yaml")[1]
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == job["metrics_path"]
