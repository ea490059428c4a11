"""Completes candidates that the picture's edge cuts off: a locator sees what is left, an oblong; the code is square."""

from __future__ import annotations

import numpy as np

from app.pipeline.locating.candidates import Candidate, candidate_of
from app.pipeline.quad import side_length

_NEAR = 0.06  # of a quad's side: nearer to the edge, it may have been cut off there
_LEAST, _MOST = 1.03, 1.4  # times as long as it is seen that the code may be


def completed(candidate: Candidate, shape: tuple[int, ...]) -> Candidate | None:
    """The candidate made square beyond the edge of a picture of this ``shape``, height before width; None if it is
    square already, or not at the edge.

    The estimate of its modules a side is dropped: it may be that of the oblong.
    """
    quad = np.array(candidate.corners)
    near = _NEAR * side_length(quad)
    room = np.concatenate([quad - near, np.array(shape[1::-1]) - near - quad], axis=1)
    grown = quad.copy()
    for first in range(4):
        second, before, after = (first + 1) % 4, (first - 1) % 4, (first + 2) % 4
        at_edge = bool(((room[first] < 0) & (room[second] < 0)).any())
        along = np.linalg.norm(quad[second] - quad[first]) + np.linalg.norm(quad[after] - quad[before])
        across = np.linalg.norm(quad[first] - quad[before]) + np.linalg.norm(quad[second] - quad[after])
        if at_edge and _LEAST * across <= along <= _MOST * across:
            for corner, anchor in ((first, before), (second, after)):
                grown[corner] = quad[anchor] + (quad[corner] - quad[anchor]) * (along / across)
            return candidate_of(grown, None, candidate.score)
    return None
