"""Checked, typed settings: params.yaml in, one frozen object out."""

import reprlib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

from kakitori.errors import SettingsError
from kakitori.reading.formats import CHOSEN

ROOT = Path(__file__).resolve().parents[3]
ARCHS = Path(__file__).resolve().parents[1] / "archs"

SHORT = reprlib.Repr()  # of values in messages
SHORT.maxlevel, SHORT.maxstring, SHORT.maxother = 1, 60, 60

# More than any settings have; what is read stays small and is read at once.
CHARACTERS = 100_000  # of a file
LETTERS = 1000  # of one name or value
VALUES = 10_000  # aliases written out
DEPTH = 20  # groups in groups

TYPES = ("str", "list[str]", "constrained-int")

Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]


Script = Literal["digit", "latin", "hiragana", "katakana", "kanji", "symbol"]
SetName = Literal[  # the handwritten ones
    "ETL1", "ETL3", "ETL4", "ETL5", "ETL6", "ETL7", "ETL8B", "ETL8G", "ETL9B", "ETL9G", "ALPHABET"
]


class Group(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Mix(Group):
    train: list[str]
    val: list[str]
    test: list[str]
    external: list[str]
    weights: dict[str, Positive]


class Data(Group):
    corpora: str | list[str]  # auto: every one that is found
    size: Literal[64, 128]
    mix: Mix


class Synthesize(Group):
    glyphs: str | list[str]
    preset: Literal["plain", "varied", "learners", "hard"]
    sets: list[SetName]

    @field_validator("sets")
    @classmethod
    def _once(cls, sets: list[str]) -> list[str]:
        if len(set(sets)) < len(sets) or not sets:
            raise PydanticCustomError("sets", "each set once, at least one")
        return sets

    writers: Annotated[int, Field(ge=0, le=1445)]  # of ETL1, the set with most
    partial_writers: Natural
    hard_writers: Annotated[int, Field(ge=0, le=200)]
    classes: Annotated[int, Field(ge=3, le=10000)]
    max_missing: Natural
    workers: Natural

    def sources(self) -> list[str]:
        return [self.glyphs] if isinstance(self.glyphs, str) else self.glyphs


class Split(Group):
    scheme: Literal["writer", "random"]
    val_groups: Count
    test_groups: Count
    zero_shot_classes: Natural | str


class Augment(Group):
    rotation: NotNegative
    scale: NotNegative
    shear: NotNegative
    shift: NotNegative
    elastic: NotNegative
    thicken: Share
    thicken_more: Share
    thin: Share
    blur: Share
    contrast: NotNegative
    brightness: NotNegative
    noise: NotNegative
    erase: Share
    mixup: Share
    cutmix: Share
    nothing: Share
    drop_strokes: Share


class Distillation(Group):
    teacher: str
    share: Share
    temperature: Positive


class Sampling(Group):
    balance: Share
    confused: NotNegative
    curriculum: Share
    partial: Annotated[float, Field(ge=0, le=0.5)]
    scripts: dict[Script, Positive]


class Transfer(Group):
    init_from: str
    freeze: Share
    layer_decay: Annotated[float, Field(gt=0, le=1)]


class Train(Group):
    epochs: Count
    stop_after: Natural
    batch: Annotated[int, Field(ge=2)]
    processes: Count
    optimiser: Literal["muon", "adamw", "adam", "sgd"]
    learning_rate: Positive
    schedule: Literal["cosine", "one_cycle", "plateau", "constant"]
    warmup: Share
    weight_decay: NotNegative
    clip: NotNegative
    ema: Annotated[float, Field(ge=0, lt=1)]
    label_smoothing: Share
    patience: Count
    precision: Literal["auto", "bfloat16", "float32"]
    compile: Literal["auto"] | bool
    sides: list[Annotated[int, Field(ge=32, multiple_of=16)]]
    qat: Share
    style_adversary: NotNegative
    sampling: Sampling
    transfer: Transfer
    distillation: Distillation
    augment: Augment


class Arch(Group):
    net: dict[str, Any] = {}
    train: dict[str, Any] = {}


FormatName = Literal[*CHOSEN]


class Quantize(Group):
    opset: Annotated[int, Field(ge=21)]
    calibration_samples: Natural
    validation_samples: Count
    calibration: Annotated[list[Literal["minmax", "percentile", "entropy"]], Field(min_length=1)]
    formats: dict[str, list[FormatName]]

    @field_validator("formats")
    @classmethod
    def _complete(cls, formats: dict[str, list[str]]) -> dict[str, list[str]]:
        known = ["all", *known_models()]
        for name, wanted in formats.items():
            if name not in known:
                raise PydanticCustomError(
                    "formats", f"keys among {', '.join(known)}, and not {name}"
                )
            if not {"fp32", "int8"} <= set(wanted):
                raise PydanticCustomError("formats", f"fp32 and int8 among those of {name}")
        if "all" not in formats:
            raise PydanticCustomError("formats", "those of all that are not named")
        return formats

    def formats_of(self, model: str) -> list[str]:
        return self.formats.get(model, self.formats["all"])


class Evaluate(Group):
    worst: Natural
    audited: Natural


class Grid(Group):
    intensity: NotNegative
    year: int
    source: str


class Equivalent(Group):
    amount: Positive  # of one of them
    unit: Literal["kg CO2e", "kWh"]
    year: int
    source: str


class Carbon(Group):
    country: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    inferences: Count
    images_a_day: Natural
    rated_watts: NotNegative
    grids: dict[str, Grid]
    equivalents: dict[str, Equivalent]

    @field_validator("grids")
    @classmethod
    def _with_the_worlds(cls, grids: dict[str, Grid]) -> dict[str, Grid]:
        if "world" not in grids:
            raise PydanticCustomError("grids", "world among them, which equivalents are of")
        return grids


class Gate(Group):
    top1: NotNegative
    top5: NotNegative
    ece: NotNegative
    bytes: NotNegative
    accept: str


class Settings(Group):
    model: str
    seed: Natural
    data: Data
    synthesize: Synthesize
    split: Split
    train: Train
    archs: dict[str, Arch]
    quantize: Quantize
    evaluate: Evaluate
    carbon: Carbon
    gate: Gate

    @field_validator("archs")
    @classmethod
    def _exist(cls, archs: dict[str, Arch]) -> dict[str, Arch]:
        unknown = sorted(archs.keys() - known_models())
        if unknown:
            known = ", ".join(known_models())
            raise PydanticCustomError("archs", f"keys among {known}, and not {unknown[0]}")
        return archs

    def arch(self) -> Arch:
        return self.archs.get(self.model, Arch())

    def training(self) -> Train:
        """`train`, with what `archs.<model>.train` overrides."""
        return checked(
            Train, merged(self.train.model_dump(), self.arch().train), f"archs.{self.model}.train."
        )


def load(path: Path = ROOT / "params.yaml") -> Settings:
    """The settings of a file.

    Raises SettingsError, one line, for a file that is no YAML in UTF-8 or larger than settings are,
    and for the first setting that is unknown, missing, of the wrong type or out of range.
    """
    return parse(read(path))


def read(path: Path) -> str:
    """The text of a file of settings; raises like `load`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path.name}: expected settings, found: {error.strerror}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        kind = "UTF-16" if wide else f"byte 0x{content[error.start]:02x}, as Shift-JIS has"
        raise SettingsError(
            f"{path.name}: line {line}: expected UTF-8, found {kind}; save it as UTF-8"
        ) from None


def parse(text: str) -> Settings:
    """The settings of a params.yaml's text; raises like `load`."""
    return check(tree(text))


def check(values: Any) -> Settings:
    """The settings of groups and values; raises SettingsError like `load`."""
    settings = checked(Settings, values, "")
    settings.training()
    return settings


def tree(text: str, name: str = "params.yaml") -> Any:
    """Groups and values of a YAML 1.2 text, read as DVC reads and writes it: 5e-05 is a number.

    Raises SettingsError, one line that begins with `name`.
    """
    if len(text) > CHARACTERS:
        raise SettingsError(
            f"{name}: expected at most {CHARACTERS:,} characters, found {len(text):,}"
        )
    try:
        _check_size(text)
        return YAML(typ="safe", pure=True).load(text)
    except Exception as error:  # of YAML, and whatever numbers and dates raise
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        reason = " ".join(str(getattr(error, "problem", None) or error).split())[:200]
        raise SettingsError(f"{name}: {where}expected YAML, found: {reason}") from None


def _check_size(text: str) -> None:
    """Raises ValueError where values are too many, too long or too deep. Only events are looked at:
    building what is nested or multiplies is what takes for ever."""
    anchors: dict[str | None, tuple[int, int]] = {}  # values and depth of what they stand for
    groups: list[tuple[str | None, int, int]] = [(None, 0, 0)]  # those that are open; their anchors
    for event in YAML(typ="safe", pure=True).parse(text):
        line = f"line {event.start_mark.line + 1}"
        if isinstance(event, CollectionStartEvent):
            anchors.pop(event.anchor, None)  # within itself it stands for nothing
            groups.append((event.anchor, 1, 1))
            anchor, values, depth = None, 0, 0
        elif isinstance(event, CollectionEndEvent):
            anchor, values, depth = groups.pop()
        elif isinstance(event, ScalarEvent):
            if len(event.value) > LETTERS:
                raise ValueError(f"{line}: a value of {len(event.value):,} characters")
            anchor, values, depth = event.anchor, 1, 0
        elif isinstance(event, AliasEvent):
            if event.anchor not in anchors:
                raise ValueError(f"{line}: an alias of nothing before it, *{event.anchor[:20]}")
            anchor, (values, depth) = None, anchors[event.anchor]
        else:  # of streams and documents
            continue
        anchors[anchor] = (values, depth)
        around, others, deepest = groups[-1]
        groups[-1] = (around, others + values, max(deepest, depth + 1))
        if groups[-1][1] > VALUES:
            raise ValueError(f"{line}: more than {VALUES:,} values, aliases written out")
        if len(groups) + groups[-1][2] > DEPTH + 2:
            raise ValueError(f"{line}: groups in more than {DEPTH} groups")


def known_models() -> list[str]:
    """Architectures that exist: the files of archs/ that define `build`."""
    return sorted(
        p.stem for p in ARCHS.glob("*.py") if "\ndef build(" in p.read_text(encoding="utf-8")
    )


def checked(kind: type[Group], raw: Any, prefix: str) -> Any:
    """Values as a group of settings whose names begin with `prefix`. Raises SettingsError like
    `load`."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        # A union's members appear in the place as names of types.
        place = [str(part) for part in first["loc"] if str(part) not in TYPES]
        name = (prefix + ".".join(place))[:100] or "all"
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(_fields_at(kind, first["loc"][:-1])))
            raise SettingsError(
                f"params.yaml: {name}: expected one of {known}, found an unknown setting"
            ) from None
        if first["type"] == "missing":
            raise SettingsError(f"params.yaml: {name}: expected a value, found none") from None
        wanted = first["msg"].removeprefix("Input should be ").removeprefix("a valid ")
        setting = first["input"]
        hint = (
            "; write numbers without quotes"
            if isinstance(setting, str) and "number" in wanted
            else ""
        )
        raise SettingsError(
            f"params.yaml: {name}: expected {wanted}, found {SHORT.repr(setting)}{hint}"
        ) from None


def _fields_at(kind: type[BaseModel], place: tuple) -> list[str]:
    """Names of the settings in the group at `place` below `kind`."""
    group: Any = kind
    for part in place:
        if isinstance(group, type) and issubclass(group, BaseModel):
            group = group.model_fields[part].annotation
        else:  # dict[str, Group]
            group = get_args(group)[1]
    return list(group.model_fields)


def merged(base: dict, over: dict) -> dict:
    """`base` with what `over` sets, group by group."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = merged(base[key], value) if both else value
    return result
