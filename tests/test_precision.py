import keras
import pytest

from keras_fm import precision


@pytest.mark.parametrize("given", ["float32", "bfloat16"])
def test_what_is_asked_for_is_taken(given, monkeypatch):
    for has in (True, False):
        monkeypatch.setattr(precision, "_cpu_has_bfloat16", lambda has=has: has)
        monkeypatch.setattr(precision, "_gpu_has_bfloat16", lambda has=has: has)
        assert precision.resolve(given) == given


@pytest.mark.parametrize(
    ("cpu", "gpu", "expected"),
    [(False, False, "float32"), (True, False, "bfloat16"), (False, True, "bfloat16")],
)
def test_auto_takes_what_the_machine_has(cpu, gpu, expected, monkeypatch):
    monkeypatch.setattr(precision, "_cpu_has_bfloat16", lambda: cpu)
    monkeypatch.setattr(precision, "_gpu_has_bfloat16", lambda: gpu)
    assert precision.resolve("auto") == expected


@pytest.mark.parametrize(
    ("cpuinfo", "has"),
    [
        ("flags\t\t: fpu avx2 avx512_bf16 amx_tile\n", True),
        ("Features\t: fp asimd bf16\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("", False),
    ],
)
def test_the_cpus_flags_tell(cpuinfo, has, monkeypatch):
    monkeypatch.setattr(precision.Path, "read_text", lambda *arguments: cpuinfo)
    assert precision._cpu_has_bfloat16() is has


def test_a_machine_that_says_nothing_takes_float32(monkeypatch):
    def missing(*arguments):
        raise FileNotFoundError

    monkeypatch.setattr(precision.Path, "read_text", missing)
    assert precision._cpu_has_bfloat16() is False


def test_the_policy_holds_inside_alone():
    with precision.policy("bfloat16"):
        inside = keras.layers.Dense(1)
        with precision.policy("float32"):
            assert keras.layers.Dense(1).compute_dtype == "float32"
    assert (inside.compute_dtype, inside.variable_dtype) == ("bfloat16", "float32")
    assert keras.layers.Dense(1).compute_dtype == "float32"


def test_an_error_inside_brings_the_policy_back():
    before = keras.config.dtype_policy().name
    with pytest.raises(ZeroDivisionError), precision.policy("bfloat16"):
        _ = 1 / 0
    assert keras.config.dtype_policy().name == before
