"""What the parts of a scene hand to the renderer: meshes with fields, materials, ground, lights.

Frame of reference of the world: metres; the ground is the plane z = 0 (or below everything that
is not to have one), z up, right-handed. All arrays are numpy, float32 or int32, on the CPU; the
renderer moves them to its device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

FIELDS = (
    *("x", "y", "z"),  # m, where the vertex lies at rest: patterns and wrinkles stick to it
    *("garment0", "garment1", "garment2", "garment3"),  # m inside of a garment's edge, or < 0
    "hair",  # m inside of the hair line, or < 0
    *("lips", "ears", "eyelids", "nails", "mouth", "brows", "nostrils"),  # [0, 1]
    "eye",  # 1 on the eye balls
    *("flush", "blotch", "crease"),  # redness; slow noise of deviation 1; skin folds, [0, 1]
)
"""Names of the columns of `Mesh.fields`. Things other than bodies use x, y, z and leave the rest
at 0 (garments and hair at -1)."""

NOTHING, INFANT, GARMENT, ADULT, THING, COVER, GROUND, WORN = range(8)
"""Parts, as `Mesh.part` and the renderer's part picture name them. GARMENT: worn by the infant and
belonging to its mask; WORN: what sticks to it and does not (pacifiers, tubes, sensors); COVER:
blankets; ADULT: hands and arms of others."""

OWN = (INFANT, GARMENT, WORN)
"""Parts that hide a joint no more than its own skin does."""


@dataclass(frozen=True)
class Material:
    """How a surface looks. Colours are linear RGB reflectances in [0, 1].

    kind: ``skin`` (an infant's or adult's body, with hair, lips and so on from the fields, and
        garments by `Mesh.garments`), ``cloth``, ``hard`` (plastic, wood, metal).
    colours: three of them: ground, pattern, seam (cloth, hard); skin, hair, iris (skin).
    pattern: ``plain``, ``stripes``, ``dots``, ``checks``, ``print``. period_m: its size.
    angle_deg: of the pattern. wrinkle: strength of small folds in the normal, about 0 to 0.2.
    shine: strength of the highlight, 0 to 1. wrap: light under the skin, 0 to 1.
    hair_cover: 0 bald to 1 thick. flush: 0 to 1 redness of cheeks, hands, feet. seed: of the
        pattern's details.
    """

    kind: str = "cloth"
    colours: tuple[tuple[float, float, float], ...] = ((0.7, 0.7, 0.7), (0.3, 0.3, 0.3), (0.5,) * 3)
    pattern: str = "plain"
    period_m: float = 0.03
    angle_deg: float = 0.0
    wrinkle: float = 0.05
    shine: float = 0.02
    wrap: float = 0.0
    hair_cover: float = 0.0
    flush: float = 0.3
    seed: int = 0


@dataclass(frozen=True)
class Mesh:
    """Triangles with what their colours are made from.

    vertices: (V, 3) m, world. faces: (F, 3) int, counter-clockwise from outside.
    fields: (V, len(FIELDS)). part: what it is (INFANT, ADULT, THING, ...).
    material: of the surface. garments: materials of garment0..3 where those fields are positive;
        the later one lies on top. motion: (V, 3) m the vertices go during the exposure, or None.
    two_sided: thin sheets that are seen from both sides.
    """

    vertices: np.ndarray
    faces: np.ndarray
    fields: np.ndarray
    part: int
    material: Material
    garments: tuple[Material | None, ...] = (None, None, None, None)
    motion: np.ndarray | None = None
    two_sided: bool = False

    def moved(self, vertices: np.ndarray) -> Mesh:
        """The same surface elsewhere."""
        return replace(self, vertices=vertices)


def plain_fields(rest: np.ndarray) -> np.ndarray:
    """(V, len(FIELDS)) for a thing: its places at rest (V, 3) m, and nothing else."""
    fields = np.zeros((len(rest), len(FIELDS)), np.float32)
    fields[:, :3] = rest
    for name in ("garment0", "garment1", "garment2", "garment3", "hair"):
        fields[:, FIELDS.index(name)] = -1.0
    return fields


@dataclass(frozen=True)
class Ground:
    """The plane z = 0 and what lies flat on it, as pictures seen from above.

    colour: (S, S, 3) uint8 sRGB reflectance. slope: (S, S, 2) float16 dz/dx, dz/dy of its relief.
    Row 0 lies at the greatest y, column 0 at the smallest x; side_m is what S pixels span, the
    middle lies at the world's origin; beyond, the pictures are mirrored. shine: of the surface.
    turn_deg: the whole, counter-clockwise about the origin as seen from above. tint: (3, 4) on
        sRGB in [0, 1] and a constant 1, to be clipped; the arrays stay as they are, so that what
        was made from them can be kept. `grounds.baked` puts both into the arrays.
    """

    colour: np.ndarray
    slope: np.ndarray
    side_m: float
    shine: float = 0.0
    turn_deg: float = 0.0
    tint: np.ndarray | None = None


@dataclass(frozen=True)
class Light:
    """A round lamp or window. position: (3,) m. radius_m. colour: linear RGB irradiance where the
    light falls straight on the world's origin."""

    position: tuple[float, float, float]
    radius_m: float
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Scene:
    """All that the renderer needs but the camera. room: linear RGB of the light from all around."""

    meshes: Sequence[Mesh]
    ground: Ground
    lights: Sequence[Light]
    room: tuple[float, float, float] = (0.4, 0.4, 0.4)
    notes: dict[str, object] = field(default_factory=dict)
