"""The eleven sets of the ETL Character Database: which files hold which kind of record, and what
their codes and positions mean.
"""

import dataclasses

from kakitori.reading.characters import charset


@dataclasses.dataclass(frozen=True)
class Set:
    """One set of the database.

    layout : of its records.
    files : their names as distributed.
    records : how many each complete file holds, the dummy included; 0 where no official page says.
    code : what the code field is: JIS X 0201, JIS X 0208, CO-59 or, of our own set, JIS X 0208 and
        where it has no cell JIS X 0213.
    writer : what stands for a writer (FORMATS 6.1). sheet: its serial number; person: sex, age,
        industry, occupation and collection date together, since sheet numbers repeat or two
        sheets are one person's; set: one pass over the characters, by position; none: printed.
    writers : the groups of a complete set.
    family : both renderings of one stack of sheets share it, and its writer groups.
    sets_per_file : of files that hold one set after the other; 0 for those that hold all samples
        of one character after those of another.
    dummy : every file opens with an all-zero record.
    """

    layout: str
    files: tuple[str, ...]
    records: tuple[int, ...]
    code: str
    writer: str
    writers: int
    family: str
    hiragana: bool = False  # stored under the codes of katakana
    sets_per_file: int = 0
    dummy: bool = False


def _files(pattern: str, count: int) -> tuple[str, ...]:
    return tuple(pattern.format(n) for n in range(1, count + 1))


SETS = {
    "ETL1": Set(
        layout="M",
        files=_files("ETL1C_{:02d}", 13),
        # ナ of sheet 2672 (file 9) and リ of sheet 2708 (file 12) are officially missing.
        records=(11560,) * 6 + (11288, 11288, 11287, 11288, 11288, 11287, 4233),
        code="X0201",
        writer="sheet",
        writers=1445,
        family="ETL1",
    ),
    "ETL2": Set(
        layout="K",
        files=_files("ETL2_{:d}", 5),
        records=(9056, 10480, 11360, 10480, 11420),
        code="CO-59",
        writer="none",
        writers=0,
        family="ETL2",
    ),
    "ETL3": Set(
        layout="C",
        files=_files("ETL3C_{:d}", 2),
        records=(4800, 4800),
        code="X0201",
        writer="sheet",
        writers=200,
        family="ETL3",
    ),
    "ETL4": Set(
        layout="C",
        files=("ETL4C",),
        records=(6120,),
        code="X0201",
        writer="sheet",
        writers=120,
        family="ETL4",
        hiragana=True,
    ),
    "ETL5": Set(
        layout="C",
        files=("ETL5C",),
        records=(10608,),
        code="X0201",
        writer="person",
        writers=104,
        family="ETL5",
    ),
    "ETL6": Set(
        layout="M",
        files=_files("ETL6C_{:02d}", 12),
        records=(0,) * 12,  # 157,662 in all; a published table contradicts that
        code="X0201",
        writer="sheet",
        writers=1383,
        family="ETL6",
    ),
    "ETL7": Set(
        layout="M",
        files=("ETL7LC_1", "ETL7LC_2", "ETL7SC_1", "ETL7SC_2"),
        records=(9600, 7200, 9600, 7200),
        code="X0201",
        writer="person",
        writers=175,
        family="ETL7",
        hiragana=True,
    ),
    "ETL8G": Set(
        layout="G8",
        files=_files("ETL8G_{:02d}", 33),
        records=(4780,) * 32 + (956,),
        code="X0208",
        writer="set",
        writers=160,
        family="ETL8",
        sets_per_file=5,
    ),
    "ETL8B": Set(
        layout="B8",
        files=_files("ETL8B2C{:d}", 3),
        records=(51201, 51201, 51517),
        code="X0208",
        writer="set",
        writers=160,
        family="ETL8",
        dummy=True,
    ),
    "ETL9G": Set(
        layout="G9",
        files=_files("ETL9G_{:02d}", 50),
        records=(12144,) * 50,
        code="X0208",
        writer="set",
        writers=200,
        family="ETL9",
        sets_per_file=4,
    ),
    "ETL9B": Set(
        layout="B9",
        files=_files("ETL9B_{:d}", 5),
        records=(121441,) * 4 + (124477,),
        code="X0208",
        writer="set",
        writers=200,
        family="ETL9",
        sets_per_file=40,
        dummy=True,
    ),
    # Ours: what people write and ETL9 does not hold, on further sheets of its writers.
    "ALPHABET": Set(
        layout="G9",
        files=_files("ALPHABET_{:02d}", 50),
        records=(4 * len(charset.etl_positions("ALPHABET")),) * 50,
        code="X0213",
        writer="set",
        writers=200,
        family="ETL9",
        sets_per_file=4,
    ),
}
SAMPLES = {"ETL6": 157662}  # official totals of sets whose files' lengths are not official

# Mnemonics of the M-type that tell a symbol where the code does not (audits of ETL1 and ETL6).
MNEMONICS = {
    **{f"{c} ": c for c in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ()"},
    **{"$Y": "¥", "((": "[", "))": "]", "(K": "「", ")K": "」", ",,": "゛", ",0": "゜", "''": '"'},
}


def set_name(corpus: str) -> str:
    """The set of a corpus called so: ETL9G of etl9g and of ETL9G-hard2; empty for any other."""
    name = corpus.partition("-")[0].upper()
    return name if name in SETS else ""
