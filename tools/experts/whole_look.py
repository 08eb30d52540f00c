"""The look of the whole picture: what patches compared one by one are blind to.

A patch that looks like some good patch says nothing of how many there are of its kind: a cloth woven too fine
consists of good patches. So the mean and the deviation of each channel over the picture are compared with
those of the good pictures, both in deviations of a good picture's own patches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tools.experts.patches import Patches
from tools.masks import Inside
from tools.types import Pixels

Look: TypeAlias = npt.NDArray[np.float32]
"""Mean of each channel, then deviation of each: shape (2 * channels,), float32."""

Traits: TypeAlias = npt.NDArray[np.float32]
"""Traits of a picture that have a word each, shape (5,), float32; see `traits`."""

_WORDS: Final = (
    ("brighter", "darker"),
    ("richer in contrast", "poorer in contrast"),
    ("finer or sharper in grain", "coarser or softer in grain"),
    ("redder", "greener"),
    ("yellower", "bluer"),
)
_LEAST_STEP: Final = np.array([4, 0.06, 0.04, 1.5, 1.5], np.float32)
"""Steps of the traits that a reader could see."""

_SAID_FROM: Final = 3.0
_FLAT: Final = 1e-3
"""Deviation of a channel that does not vary at all over a good picture."""


def look_of(patches: Patches) -> Look:
    """Look of a picture from its patches, as rows."""
    return np.concatenate([patches.mean(axis=0), patches.std(axis=0)]).astype(np.float32)


def strangeness(look: Look, good: Sequence[Look]) -> float:
    """How far a look lies from the mean of good ones: root mean square over channels and both halves.

    A mean counts in deviations of the good patches; a deviation by the logarithm of its ratio to theirs.
    """
    mean, deviation = np.split(look.astype(np.float64), 2)
    usual_mean, usual_deviation = np.split(np.mean(good, axis=0, dtype=np.float64), 2)
    usual_deviation = usual_deviation + _FLAT
    steps = (mean - usual_mean) / usual_deviation
    ratios = np.log((deviation + _FLAT) / usual_deviation)
    return float(np.sqrt((np.square(steps).mean() + np.square(ratios).mean()) / 2))


def traits(image: Pixels, inside: Inside | None) -> Traits:
    """Lightness (0..255), logs of contrast and of grain against contrast, redness, yellowness of an image."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    light = lab[..., 0]
    grain = np.abs(light - cv2.blur(light, (3, 3)))
    counted = np.ones(light.shape, bool) if inside is None else inside
    contrast = float(light[counted].std()) + 1
    means = lab[counted].mean(axis=0)
    fineness = np.log((float(grain[counted].mean()) + 0.5) / contrast)
    return np.array([means[0], np.log(contrast), fineness, means[1], means[2]], np.float32)


def difference_in_words(found: Traits, good: Sequence[Traits]) -> str | None:
    """How a picture as a whole differs from good ones, the plainest two differences; None: no word fits."""
    table = np.stack(good)
    spread = np.maximum(table.std(axis=0), _LEAST_STEP / _SAID_FROM)
    steps = (found - table.mean(axis=0)) / spread
    order = [int(index) for index in np.argsort(-np.abs(steps)) if abs(steps[index]) >= _SAID_FROM][:2]
    said = [_WORDS[index][0 if steps[index] > 0 else 1] for index in order]
    return " and ".join(said) or None
