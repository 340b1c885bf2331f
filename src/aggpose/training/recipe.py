"""Training recipes: typed, every key known, read from YAML with KEY=VALUE changes on top."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from aggpose.data.augment import AugmentRecipe
from aggpose.errors import UserError
from aggpose.skeleton import Skeleton, get_skeleton

Size = tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
Fraction = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkRecipe(_Part):
    """Options of `aggpose.network.build_network`."""

    variant: str = "aggpose-l"
    drop_path: Fraction = 0.1
    residual: bool = False
    init: Literal["published", "unit"] = "published"


class DataSource(_Part):
    """A COCO-form file, its pictures, and how often each person is drawn an epoch."""

    annotations: Path
    images: Path
    weight: Annotated[float, Field(gt=0)] = 1.0


class NobodySource(_Part):
    """A folder of pictures without people, and how often each is drawn an epoch: what the network
    is to say "nowhere" to (``loss.absent``). held_out: so many of them, the last by name, are not
    used, to try the result on."""

    images: Path
    weight: Annotated[float, Field(gt=0)] = 1.0
    held_out: Annotated[int, Field(ge=0)] = 0


class LowResolution(_Part):
    """The first epochs at a smaller input, which cost less."""

    input_size: Size
    epochs: Annotated[int, Field(gt=0)]


class DataRecipe(_Part):
    """Where the people come from. Relative paths are taken from ``root``, a relative root from the
    current folder. input_size: (width, height)."""

    root: Path = Path()
    input_size: Size = (192, 256)
    low_resolution: LowResolution | None = None
    train: Annotated[tuple[DataSource, ...], Field(min_length=1)]
    nobody: tuple[NobodySource, ...] = ()
    validation: DataSource | None = None
    validation_skeleton: str | None = None
    workers: Annotated[int, Field(ge=0)] = 4

    def located(self, source: DataSource) -> tuple[Path, Path]:
        """Where a source's annotation file and pictures lie."""
        images = self.root / source.images
        if not images.is_dir() and (self.root / "images" / source.images).is_dir():
            images = self.root / "images" / source.images  # COCO's folders lie in either place
        return self.root / source.annotations, images

    @model_validator(mode="after")
    def _divisible(self) -> DataRecipe:
        sizes = [self.input_size]
        if self.low_resolution:
            sizes.append(self.low_resolution.input_size)
        if any(side % 32 for size in sizes for side in size):
            raise ValueError("input sizes must be divisible by 32")
        return self


class LossRecipe(_Part):
    """kind: the published ``mse``, ``ohkm`` (its hard-mining form) or ``spatial_cross_entropy``.
    sigma: of the Gaussian in heat-map px at ``input_size``; lower resolutions shrink it alike,
    but not below 1. absent: weight of points that are known to lie outside of the crop, in pictures
    of nobody all of them; above 0 the network learns to say "nowhere" (`NetworkConfig.nowhere`)."""

    kind: Literal["mse", "ohkm", "spatial_cross_entropy"] = "mse"
    sigma: Annotated[float, Field(gt=0)] = 2.0
    ohkm_top: Annotated[int, Field(gt=0)] = 8
    absent: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _absent_of_softmax(self) -> LossRecipe:
        if self.absent and self.kind != "spatial_cross_entropy":
            raise ValueError("absent belongs to kind spatial_cross_entropy")
        return self


class ScheduleRecipe(_Part):
    """step: times ``factor`` at the epochs ``milestones``. cosine: down to ``final`` of the rate.
    warmup_steps: linear from 0, before either."""

    kind: Literal["step", "cosine"] = "step"
    milestones: tuple[int, ...] = (170, 200, 240)
    factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    final: Fraction = 0.01
    warmup_steps: Annotated[int, Field(ge=0)] = 0


class TrainingRecipe(_Part):
    """Optimisation. batch_size: of one process, before accumulation. optimiser: ``muon`` takes
    AdamW's learning rate and decay (`aggpose.training.muon`). weight_decay is not applied to norms
    and biases unless ``decay_all`` (the published way). ema: decay of the running mean of the
    weights that validation and the final file use, 0 for none. compile: by torch.compile, which
    takes minutes at the start and pays on a GPU."""

    epochs: Annotated[int, Field(gt=0)] = 260
    batch_size: Annotated[int, Field(gt=0)] = 64
    accumulate: Annotated[int, Field(gt=0)] = 1
    optimiser: Literal["adamw", "muon"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    decay_all: bool = False
    clip: Annotated[float, Field(ge=0)] = 0.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    seed: Annotated[int, Field(ge=0)] = 0
    checkpoint_every_steps: Annotated[int, Field(gt=0)] = 500
    validate_every_epochs: Annotated[int, Field(gt=0)] = 1
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Field(ge=0)] = 0
    compile: bool = False


class Recipe(_Part):
    """One training. initialise: weights file to start from (official, ours, or a MiT trunk).
    out: folder of logs, checkpoints and the final weights."""

    name: str
    out: Path
    skeleton: str = "coco17"
    initialise: Path | None = None
    licence: str = "not stated"
    network: NetworkRecipe = NetworkRecipe()
    data: DataRecipe
    augment: AugmentRecipe = AugmentRecipe()
    loss: LossRecipe = LossRecipe()
    schedule: ScheduleRecipe = ScheduleRecipe()
    training: TrainingRecipe = TrainingRecipe()

    @model_validator(mode="after")
    def _wrong_way_is_nowhere(self) -> Recipe:
        if self.augment.wrong_way and not self.loss.absent:
            raise ValueError("augment.wrong_way needs loss.absent above 0")
        return self


def read_recipe(path: Path, changes: list[str] | tuple[str, ...] = ()) -> Recipe:
    """A recipe from YAML, with changes ``dotted.key=value`` (value in YAML) on top.

    UserError names the file and the key when something is unknown, missing or of the wrong kind.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is not YAML ({error})") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: a recipe is a mapping of keys")
    for change in changes:
        _apply(content, change)
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UserError(
                f"{path}: {where}: is not a key of recipes; see docs/train.md"
            ) from None
        raise UserError(f"{path}: {where}: {first['msg']}") from None


def _apply(content: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals:
        raise UserError(f"{change!r}: changes to a recipe are written KEY=VALUE")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"{change!r}: the value is not YAML") from None
    parts = key.split(".")
    for part in parts[:-1]:
        content = content.setdefault(part, {})
        if not isinstance(content, dict):
            raise UserError(f"{change!r}: {part} is not a group of keys")
    content[parts[-1]] = value


FIXED = (
    *("skeleton", "network", "loss", "data.train", "data.nobody"),
    *("training.batch_size", "training.accumulate", "training.learning_rate"),
    *("training.weight_decay", "training.decay_all", "training.ema", "training.seed"),
)
"""What a resumed training keeps: its checkpoint holds it, or its order of samples depends on it."""


PROCESSES = "processes"
"""Beside the recipe in ``recipe.json``: processes of all machines, which share the samples."""


def validated_skeleton(recipe: Recipe) -> Skeleton:
    """The skeleton that validation scores; UserError where the network lacks points of it."""
    target = get_skeleton(recipe.data.validation_skeleton or recipe.skeleton)
    known = get_skeleton(recipe.skeleton).keypoints
    missing = [name for name in target.keypoints if name not in known]
    if missing:
        raise UserError(
            f"data.validation_skeleton: {recipe.skeleton} has no {', '.join(missing)} of "
            f"{target.name}; name another"
        )
    return target


def refuse_changed(recipe: Recipe, processes: int, before: dict[str, Any], where: Path) -> None:
    """UserError when a resumed recipe differs in `FIXED` from the one the run began with.

    processes: of all machines. before: what ``recipe.json`` holds. where: the file, for the
    message.
    """
    began = before.get(PROCESSES, processes)
    if began != processes:
        raise UserError(
            f"{where}: the run began with {began} processes, not {processes}; give --devices and "
            "--nodes so, for they share the samples"
        )
    now, then = _leaves(recipe.model_dump(mode="json")), _leaves(before)
    for key in sorted(set(now) | set(then)):
        fixed = any(key == f or key.startswith(f + ".") for f in FIXED)
        if fixed and now.get(key) != then.get(key):
            raise UserError(
                f"{where}: the run began with {key}={then.get(key)}, not {now.get(key)}; a "
                "resumed run keeps it (give it so, or out=FOLDER for a new run)"
            )


def _leaves(content: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Values by dotted key."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        where = f"{path}.{key}" if path else key
        found |= _leaves(value, where) if isinstance(value, dict) else {where: value}
    return found
