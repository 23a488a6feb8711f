import keras
import numpy as np
import pytest

from keras_fm.optimizers.schedules import LinearWarmupDecay


def rates(warmup, steps=99):
    schedule = LinearWarmupDecay(2.0, steps, warmup)
    return np.array([float(schedule(step)) for step in range(steps)])


@pytest.mark.parametrize("warmup", [0.1, 0.25, 0.5])
def test_it_rises_to_the_peak_and_falls(warmup):
    values = rates(warmup)
    top = values.argmax()
    assert top == round(warmup * 100) - 1
    assert values[top] == pytest.approx(2.0)
    assert (np.diff(values[: top + 1]) > 0).all()
    assert (np.diff(values[top:]) < 0).all()


@pytest.mark.parametrize("warmup", [0.0, 0.01, 0.3, 0.99])
def test_no_step_is_lost_to_a_rate_of_zero(warmup):
    values = rates(warmup)
    assert values.min() > 0
    assert values.max() <= 2.0 * (1 + 1e-6)


def test_both_sides_are_straight():
    values = rates(0.2)
    np.testing.assert_allclose(np.diff(values, 2)[:17], 0, atol=1e-6)
    np.testing.assert_allclose(np.diff(values, 2)[20:], 0, atol=1e-6)


def test_without_warmup_it_only_falls():
    np.testing.assert_allclose(rates(0.0, 3), [1.5, 1.0, 0.5], rtol=1e-6)


def test_it_begins_again():
    schedule = LinearWarmupDecay(2.0, 10, 0.3)
    values = [float(schedule(step)) for step in range(30)]
    assert values[:10] == values[10:20] == values[20:]


def test_keras_can_write_and_read_it():
    schedule = LinearWarmupDecay(2.0, 99, 0.3)
    config = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(config)
    assert isinstance(again, LinearWarmupDecay)
    assert float(again(40)) == float(schedule(40))
