from functools import partial

import jax
import numpy as np

from deblur_jax.simulate.shapes import draw_shape, draw_shapes


def test_shapes_are_labels_of_a_reasonable_size(key):
    draw = jax.jit(jax.vmap(partial(draw_shapes, height=40, width=60, objects=2)))
    shapes = np.asarray(draw(jax.random.split(key, 200)))
    assert set(np.unique(shapes)) == {0, 1, 2}
    covered = np.mean(shapes == 2, axis=(1, 2))
    assert 0.02 < covered.mean() < 0.3
    assert np.mean(covered > 0) > 0.95
    assert covered.max() < 0.7


def test_a_mask_is_one_inside_zero_outside_and_its_edge_a_pixel_wide(key):
    draw = jax.jit(jax.vmap(partial(draw_shape, height=60, width=80)))
    masks = np.asarray(draw(jax.random.split(key, 50)))
    assert masks.min() == 0
    assert masks.max() == 1
    soft = np.mean((masks > 0) & (masks < 1), axis=(1, 2))
    perimeter = np.mean(np.abs(np.diff(masks, axis=1)), axis=(1, 2)) + np.mean(
        np.abs(np.diff(masks, axis=2)), axis=(1, 2)
    )
    assert soft.mean() < 1.5 * perimeter.mean()
