"""All postures and how often they are drawn."""

from __future__ import annotations

from collections.abc import Mapping

from aggpose.synthetic.pose.family import Family
from aggpose.synthetic.pose.lying import PRONE, SIDE, SUPINE
from aggpose.synthetic.pose.upright import CRAWLING, HELD, SITTING, STANDING

POSTURES: Mapping[str, Mapping[str, Family]] = {
    "supine": SUPINE,
    "prone": PRONE,
    "side": SIDE,
    "sitting": SITTING,
    "crawling": CRAWLING,
    "held": HELD,
    "standing": STANDING,
}
SHARES = {
    "supine": 0.40,
    "prone": 0.19,
    "side": 0.05,
    "sitting": 0.12,
    "crawling": 0.16,
    "held": 0.04,
    "standing": 0.04,
}
"""How often each posture is drawn when none is asked for. Supine is about half of real pictures;
those on the front are drawn more often than they are met, for networks learn them last."""
