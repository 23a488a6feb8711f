import keras
import numpy as np
import pytest

from keras_fm.optimizers.schedules import LinearWarmupDecay


def rates(warmup_fraction, steps=99):
    schedule = LinearWarmupDecay(2.0, steps, warmup_fraction)
    return np.array([float(schedule(step)) for step in range(steps)])


@pytest.mark.parametrize("warmup_fraction", [0.1, 0.25, 0.5])
def test_the_rate_rises_to_its_peak_then_falls(warmup_fraction):
    values = rates(warmup_fraction)
    peak = values.argmax()
    assert peak == round(warmup_fraction * 100) - 1
    assert values[peak] == pytest.approx(2.0)
    assert (np.diff(values[: peak + 1]) > 0).all()
    assert (np.diff(values[peak:]) < 0).all()


@pytest.mark.parametrize("warmup_fraction", [0.0, 0.01, 0.3, 0.99])
def test_no_step_has_a_rate_of_zero(warmup_fraction):
    values = rates(warmup_fraction)
    assert values.min() > 0
    assert values.max() <= 2.0 * (1 + 1e-6)


def test_warmup_and_decay_are_linear():
    values = rates(0.2)
    np.testing.assert_allclose(np.diff(values, 2)[:17], 0, atol=1e-6)
    np.testing.assert_allclose(np.diff(values, 2)[20:], 0, atol=1e-6)


def test_without_warmup_the_rate_only_falls():
    np.testing.assert_allclose(rates(0.0, 3), [1.5, 1.0, 0.5], rtol=1e-6)


def test_the_schedule_restarts_after_its_last_step():
    schedule = LinearWarmupDecay(2.0, 10, 0.3)
    values = [float(schedule(step)) for step in range(30)]
    assert len({*values[:10]}) > 5
    assert values[:10] == values[10:20] == values[20:]


@pytest.mark.parametrize("warmup_fraction", [0.0, 0.1, 0.3])
def test_the_rate_of_an_integer_is_that_of_keras_variable(warmup_fraction):
    schedule = LinearWarmupDecay(0.005, 333, warmup_fraction)
    for step in range(0, 700, 7):
        rate = schedule(keras.Variable(step, dtype="int64"))
        expected = float(keras.ops.convert_to_numpy(rate))
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_keras_serializes_and_deserializes_it():
    schedule = LinearWarmupDecay(2.0, 99, 0.3)
    config = keras.saving.serialize_keras_object(schedule)
    restored = keras.saving.deserialize_keras_object(config)
    assert isinstance(restored, LinearWarmupDecay)
    assert float(restored(40)) == float(schedule(40))
