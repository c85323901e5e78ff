"""Which corpora there are, and the files of each.

A corpus is called `synthetic/NAME` or `raw/NAME` after its folder or archive below data/. ETL sets
are told by their names (ETL1 … ETL9G, in any case of letters; ETL9G-hard2 and the like are sheets
of other writers in the same layout), all others by what the folder holds.
"""

from pathlib import Path, PurePosixPath

from kakitori.corpora import archives, casia, etl, folders, kuzushiji, unipen
from kakitori.corpora.records.database import SETS, set_name
from kakitori.corpora.source import PassedOver, Source
from kakitori.errors import DataError
from kakitori.reading.normalising.tree import PICTURES, shown, visible

FAMILIES = (casia, kuzushiji, unipen, folders)
PLACES = ("raw", "synthetic")
NO_CHARACTER = "a picture in no folder called after its character (U+3042 or あ)"


def corpora(
    data: Path, both_renderings: bool = False, places: tuple[str, ...] = PLACES
) -> list[str]:
    """Every corpus found below `data`: of data/raw, then of data/synthetic, or of the places named
    alone; the ETL sets by their numbers and then the others by name. Of two renderings of the same
    sheets only one is taken, ETL8G before ETL8B and ETL9G before ETL9B, unless both are asked for.

    Raises DataError when there is none.
    """
    names = []
    for place in places:
        there = {name: path for path in _entries(data / place) for name in [_name(path)]}
        etl_sets = sorted(
            (name for name in there if set_name(name)),
            key=lambda name: (list(SETS).index(set_name(name)), name),
        )
        gray = {name.replace("G", "B", 1) for name in etl_sets if set_name(name)[-1] == "G"}
        taken = [name for name in etl_sets if both_renderings or name not in gray]
        names += [f"{place}/{name}" for name in taken]
        names += [f"{place}/{name}" for name in there if name not in etl_sets]
    if not names:
        raise DataError(
            f"{data / 'raw'}: expected at least one corpus, found none; unpack one there, or let "
            "synthesize write some"
        )
    return names


def chosen(data: Path, wanted: str | list[str]) -> list[Source]:
    """The files of the corpora that the setting data.corpora names.

    Raises DataError where it names none, or one of them twice.
    """
    if wanted == "auto":
        names = corpora(data)
    else:
        asked = [wanted] if isinstance(wanted, str) else wanted
        names = []
        for name in asked:
            whole = name == "synthetic"  # whatever synthesize wrote
            names += corpora(data, places=(name,)) if whole else [name]
    if len(set(names)) < len(names) or not names:
        raise DataError(f"data.corpora: expected different corpora, found {names}")
    return [s for name in names for s in sources(data, name)]


def sources(data: Path, corpus: str) -> list[Source]:
    """The files of one corpus, in the order of their names.

    Raises DataError for a corpus that is not there, is there twice, or is of no kind that is known.
    """
    path = _place(data, corpus)
    if [p for p in _entries(path.parent) if _name(p) == _name(path) and p != path]:
        print(f"{corpus}: read from {shown(path.name)}/, not from the archive beside it")
    if set_name(_name(path)):
        return etl.sources(path, corpus, data / "external/euc_co59.dat")
    if files := [file for family in FAMILIES for file in family.sources(path, corpus)]:
        return files
    raise DataError(
        f"{path}: expected an ETL set (named {', '.join(SETS)}), CASIA .gnt or .pot files, "
        "Kuzushiji-Kanji or Kuzushiji-49, UNIPEN files, or folders U+XXXX of images, found none "
        "of them"
    )


def passed_over(data: Path, corpus: str, sources: list[Source]) -> list[PassedOver]:
    """The files of a corpus that none of its sources reads, hidden and official ones apart."""
    path = _place(data, corpus)
    read = {file for source in sources for file in source.files()}
    listing = archives.listing(path)
    reasons = dict(listing.passed_over)
    for file in listing.files:
        if file not in read and not (set_name(_name(path)) and etl.is_official(file)):
            picture = PurePosixPath(file.name).suffix.lower() in PICTURES
            reasons[str(file)] = NO_CHARACTER if picture else "no file of this corpus"
    place = f"{data}/"
    return [
        PassedOver(corpus, shown(name.removeprefix(place)), reason)
        for name, reason in sorted(reasons.items())
    ]


def all_passed_over(data: Path, sources: list[Source], with_strays: bool) -> list[PassedOver]:
    """The files of the corpora that no source reads; `with_strays` those that are in none too."""
    unread_files = strays(data) if with_strays else []
    for name in dict.fromkeys(source.corpus for source in sources):
        own = [source for source in sources if source.corpus == name]
        unread_files += passed_over(data, name, own)
    return unread_files


def strays(data: Path) -> list[PassedOver]:
    """What lies in data/raw and can be no corpus: files, and archives of a kind that is not
    read."""
    raw = data / "raw"
    corpora = _entries(raw)
    return [
        PassedOver("", shown(path.relative_to(data)), _why_none(path))
        for path in (sorted(raw.iterdir()) if raw.is_dir() else [])
        if visible(path.name) and path not in corpora
    ]


def _why_none(path: Path) -> str:
    if not path.exists():
        return "a link to nothing"
    return archives.OTHER_ARCHIVE if archives.is_other_archive(path) else "no corpus: a single file"


def _place(data: Path, corpus: str) -> Path:
    """The folder or the archive of a corpus."""
    place, _, name = corpus.partition("/")
    if place not in PLACES or not name or "/" in name:
        raise DataError(
            f"data.corpora: expected auto, synthetic, or names such as synthetic/ETL9G, raw/ETL1 "
            f"or raw/FOLDER, found {corpus!r}"
        )
    entries = [p for p in _entries(data / place) if _name(p) == name]
    if not entries:
        there = ", ".join(sorted({_name(p) for p in _entries(data / place)})) or "nothing"
        closed = [p for p in strays(data) if p.reason == archives.OTHER_ARCHIVE]
        there += "".join(f", {p.file} ({p.reason})" for p in closed)
        raise DataError(
            f"{data / place / name}: expected the files of corpus {corpus} in a folder or archive "
            f"of that name, found {there}; unpack the set there, or take it out of data.corpora"
        )
    unpacked = [p for p in entries if p.is_dir()]
    if len(unpacked) > 1 or (len(entries) > 1 and not unpacked):
        raise DataError(
            f"{entries[1]}: expected corpus {corpus} once, found it also at {entries[0]}: keep one"
        )
    return (unpacked or entries)[0]


def _entries(folder: Path) -> list[Path]:
    """Folders and archives, which may be corpora; other files beside them are not."""
    if not folder.is_dir():
        return []
    return [
        p
        for p in sorted(folder.iterdir())
        if visible(p.name) and (p.is_dir() or archives.is_archive(p))
    ]


def _name(path: Path) -> str:
    name = shown(path.name if path.is_dir() else archives.stem(path))
    known = set_name(name)
    return f"{known}{name[len(known) :]}" if known else name
