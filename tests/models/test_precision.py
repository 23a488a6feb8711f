import keras
import pytest
import tensorflow as tf

from keras_fm import backend
from keras_fm.backend import Gpu
from keras_fm.models import precision
from keras_fm.training import runs


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_named_precision_is_used_on_any_machine(name, monkeypatch):
    for has in (True, False):
        monkeypatch.setattr(precision, "_cpu_has_bfloat16", lambda has=has: has)
        monkeypatch.setattr(precision, "_gpu_has_bfloat16", lambda has=has: has)
        assert precision.resolve_precision(name) == name


@pytest.mark.parametrize(
    ("cpu", "gpu", "expected"),
    [(False, False, "float32"), (True, False, "bfloat16"), (False, True, "bfloat16")],
)
def test_auto_is_bfloat16_where_the_machine_has_it(cpu, gpu, expected, monkeypatch):
    monkeypatch.setattr(precision, "_cpu_has_bfloat16", lambda: cpu)
    monkeypatch.setattr(precision, "_gpu_has_bfloat16", lambda: gpu)
    assert precision.resolve_precision("auto") == expected


@pytest.mark.parametrize(
    ("capabilities", "has"), [([], False), ([7.5], False), ([8.0], True), ([9.0, 7.0], False)]
)
def test_gpus_have_bfloat16_from_ampere_on(capabilities, has, monkeypatch):
    gpus = [Gpu("NVIDIA", capability) for capability in capabilities]
    monkeypatch.setattr(precision, "gpus", lambda: gpus)
    assert precision._gpu_has_bfloat16() is has


def test_gpus_of_tensorflow(monkeypatch):
    details = {"device_name": "NVIDIA H200", "compute_capability": (9, 0)}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: details)
    assert backend.gpus() == [Gpu("NVIDIA H200", 9.0)]


def test_gpus_of_jax(monkeypatch):
    class Device:
        platform, device_kind, compute_capability = "gpu", "NVIDIA H200", "9.0"

    jax = pytest.importorskip("jax")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(jax, "devices", lambda: [Device()])
    assert backend.gpus() == [Gpu("NVIDIA H200", 9.0)]


def test_the_hardware_of_a_run_is_its_gpu(monkeypatch):
    assert runs.environment("float32")["hardware"].endswith("cores")
    monkeypatch.setattr(runs, "gpus", lambda: [Gpu("NVIDIA H200", 9.0)])
    assert runs.environment("float32")["hardware"] == "NVIDIA H200"


@pytest.mark.parametrize(
    ("flags", "has"),
    [
        ({"fpu", "avx2", "avx512_bf16", "amx_tile"}, True),
        ({"fp", "asimd", "bf16"}, True),
        ({"fpu", "avx2", "avx512f"}, False),
        (set(), False),  # as on a machine without /proc/cpuinfo
    ],
)
def test_cpu_flags_tell_whether_there_is_bfloat16(flags, has, monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(precision, "cpu_flags", lambda: flags)
    assert precision._cpu_has_bfloat16() is has


@pytest.mark.parametrize(
    ("limit", "has"),
    [("AVX2", False), ("avx512_core", False), ("AVX512_CORE_AMX", True), ("ALL", True)],
)
def test_a_limit_of_onednn_counts_as_the_cpu(limit, has, monkeypatch):
    monkeypatch.setattr(precision, "cpu_flags", lambda: {"amx_bf16"})
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert precision._cpu_has_bfloat16() is has
