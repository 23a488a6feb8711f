"""What the layers compute in: float32, or bfloat16 where the machine is fast at it."""

import os
from typing import Literal

import keras

from keras_fm.backend import gpus
from keras_fm.cpu import cpu_flags

Precision = Literal["float32", "bfloat16"]

# Flags of /proc/cpuinfo: x86's bfloat16 instructions (Intel and AMD), and Arm's.
_CPU_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
# oneDNN, which multiplies for TensorFlow, can be limited to older instructions by this variable.
# TensorFlow looks at the CPU alone, and crashes in a product of bfloat16 then.
_LIMIT = "ONEDNN_MAX_CPU_ISA"
_LIMITS_WITHOUT = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"}


def resolve_precision(precision: str) -> Precision:
    """Decides what "auto" means on this machine: bfloat16 where the CPU or GPU has it."""
    if precision == "auto":
        return "bfloat16" if _gpu_has_bfloat16() or _cpu_has_bfloat16() else "float32"
    return "bfloat16" if precision == "bfloat16" else "float32"


def precision_of(model: keras.Model) -> Precision:
    """Return what a model computes in."""
    return "bfloat16" if model.compute_dtype == "bfloat16" else "float32"


def _cpu_has_bfloat16() -> bool:
    if os.environ.get(_LIMIT, "").upper() in _LIMITS_WITHOUT:
        return False
    return bool(cpu_flags() & _CPU_FLAGS)  # none of them: float32 is always right


def _gpu_has_bfloat16() -> bool:
    capabilities = [gpu.capability for gpu in gpus()]
    return bool(capabilities) and min(capabilities) >= 8  # Ampere and later
