"""Boracchi and Foi's random walk as it is published, one step after the other."""

import numpy as np


def wander(rng, length=60.0, steps=2000):
    """Return the places `[steps]`, complex numbers, from the origin."""
    speed = length / (steps - 1)
    anxiety, pull, jitter, jerk = 0.1 * rng.random(), 0.7, 10.0, 0.2
    pull, jitter, jerk = pull * rng.random(), jitter * rng.random(), jerk * rng.random()
    velocity = speed * np.exp(2j * np.pi * rng.random())
    places = np.zeros(steps, complex)
    for step in range(1, steps):
        impulse = 0
        if rng.random() < jerk * anxiety:
            impulse = 2 * velocity * np.exp(1j * (np.pi + rng.random() - 0.5))
        kick = jitter * (rng.normal() + 1j * rng.normal()) - pull * places[step - 1]
        velocity = velocity + impulse + anxiety * kick * speed
        velocity = velocity / abs(velocity) * speed
        places[step] = places[step - 1] + velocity
    return places
