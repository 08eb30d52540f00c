"""Which types of defect a region may be of, by the maps of a model that tells types apart."""

from __future__ import annotations

import cv2
import numpy as np

from tools.experts.prompted.looking import Frame, Sight
from tools.types import Pixels, Region, TypeChance


def with_types(region: Region, sight: Sight, frame: Frame, image: Pixels) -> Region:
    """A region with the probability of each type, the likeliest first; itself where the model knows none.

    It is the type's share in the probability of damage that the model gives all types together, over the
    pixels of the region. So these are the chances of the types if there is a defect.

    Args:
        region: in the frame of the image.
        sight: what was seen in the image.
        frame: what of it was shown.
        image: RGB, shape (height, width, 3), uint8.
    """
    if not sight.types:
        return region
    rows, columns = frame.cut(image)
    height, width = sight.type_maps.shape[1:]
    scale = (width / (columns.stop - columns.start), height / (rows.stop - rows.start))
    # Pixel centres keep their place; a region smaller than a pixel of the maps still fills one.
    points = (np.array(region.contour, np.float64) - (columns.start, rows.start) + 0.5) * scale - 0.5
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [np.rint(points).clip(0, (width - 1, height - 1)).astype(np.int32)], 1)
    found = sight.type_maps[:, inside.astype(bool)].sum(axis=1, dtype=np.float64)
    shares = found / found.sum() if found.sum() > 0 else np.full(len(found), 1 / len(found))
    order = np.argsort(-shares, kind="stable")
    types = tuple(TypeChance(type=sight.types[at], probability=float(shares[at])) for at in order)
    return region.model_copy(update={"types": types})
