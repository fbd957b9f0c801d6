"""The kinds of covariance: the only code that knows the shape of a second moment.

Each kind is one small final class around one array. The rest of the package never asks which kind it has; it asks
the kind to

- ``evaluate`` itself: a function from the design of centred frames to log weight + log density (``Evaluation``);
- ``collect`` the sums that its second moments need, and ``split`` them into occupancy, first and second moments;
- ``estimate`` itself from moments, under a ``Regulariser``;
- give its own ``moments`` (for priors), ``shifted`` moments about another centre, ``deviations``, ``parameters``;
- show itself ``unpooled``, and pool second moments (``pooled``), for frames with gaps;
- ``take`` components, ``stack`` with others, ``transform`` normal deviates, show itself as ``matrices`` (k, d, d).

========== ================= =============================== ==========================
kind       array             design of a frame               second moments
========== ================= =============================== ==========================
diag       variances (k, d)  [x, x*x, 1, 0 ...]              (k, d)
spherical  variances (k,)    [x, x.x, 1]                     (k,)
tied       matrix (d, d)     [x, x' S^-1 x, 1]               (d, d)
full       matrices (k,d,d)  [x, 1], one product a component (k, d, d)
========== ================= =============================== ==========================
"""

from __future__ import annotations

from gmmaudio.gmm.matrices import Full, Tied
from gmmaudio.gmm.regulariser import Regulariser
from gmmaudio.gmm.variances import Diagonal, Spherical

__all__ = ["KINDS", "Covariance", "Diagonal", "Full", "Regulariser", "Spherical", "Tied"]

Covariance = Diagonal | Spherical | Tied | Full
KINDS: dict[str, type[Diagonal] | type[Spherical] | type[Tied] | type[Full]] = {
    cls.kind: cls for cls in (Diagonal, Spherical, Tied, Full)
}
