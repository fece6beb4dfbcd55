"""Reads a list's CSV file row by row: people where a row is right, faults with their line where it is not."""

import csv
import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dispatcher.audience.address import read_address
from dispatcher.audience.dialects import OWN, Dialect, Row, find_dialect, translate
from dispatcher.audience.language import is_tag
from dispatcher.errors import Fault, InputWrong, NotFound
from dispatcher.storage.imports import Person

_MAX_BYTES = 200_000_000
_MAX_COLUMNS = 100
_MAX_FIELD = 65_536  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The columns of a file, in its order, and whose they are."""

    columns: tuple[str, ...]
    dialect: Dialect = OWN

    @property
    def has_name(self) -> bool:
        return "name" in self.columns or self.dialect is not OWN

    @property
    def has_language(self) -> bool:
        return "language" in self.columns


def hash_file(path: Path) -> str:
    """SHA-256 of the file. Raises NotFound."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NotFound(f"{path}: {error.strerror}") from error


def read_header(path: Path, *, shown: str) -> Header:
    """The header line. Raises NotFound, or InputWrong if the file has no `email` column or no valid header."""
    for _line, cells in _rows(path, shown):
        columns = tuple(cell.strip().lower() if _is_known(cell) else cell.strip() for cell in cells)
        dialect = find_dialect(columns)
        ours = tuple(dialect.renamed.get(column.lower(), column) for column in columns)
        faults = [Fault(path=shown, line=1, message=message, remedy=remedy) for message, remedy in _wrong(ours)]
        if faults:
            raise InputWrong(faults)
        return Header(columns=columns, dialect=dialect)
    raise InputWrong(
        [Fault(path=shown, line=1, message="the file is empty", remedy="begin it with: email,name,language")]
    )


def read_people(path: Path, header: Header, *, shown: str, faults: list[Fault]) -> Iterator[Person]:
    """Every right row as a Person; every wrong row becomes a fault in `faults`.

    Raises InputWrong only where reading cannot go on (encoding, broken quoting).
    """
    rows = _rows(path, shown)
    next(rows, None)
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header.columns):
            wanted = len(header.columns)
            faults.append(
                _fault(
                    shown,
                    line,
                    f"{len(cells)} {'cell' if len(cells) == 1 else 'cells'} where the header has {wanted}",
                    "quote commas",
                )
            )
            continue
        try:
            yield _person(line, _in_our_words(header, dict(zip(header.columns, cells, strict=True))))
        except ValueError as error:
            faults.append(_fault(shown, line, str(error), "correct or remove the line"))


def check_value(what: str, value: str) -> None:
    """Raises ValueError if a name or attribute holds what no mail header may carry."""
    if len(value) > _MAX_FIELD:
        raise ValueError(f"the {what} is longer than {_MAX_FIELD:,} characters")
    for character in value:
        if unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"}:
            raise ValueError(f"the {what} holds a control character (U+{ord(character):04X})")


def _in_our_words(header: Header, cells: dict[str, str]) -> Row:
    if header.dialect is not OWN:
        return translate(header.dialect, cells)
    ours = {column: _unquoted(cell) for column, cell in cells.items()}
    return Row(cells=ours, cause=None, consented_at=None, confirmed_at=None)


def _person(line: int, row: Row) -> Person:
    cells = dict(row.cells)
    email = cells.pop("email").strip()
    if not email:
        raise ValueError("the email is missing")
    address = read_address(email)
    values = {column: value.strip() or None for column, value in cells.items()}
    for column, value in values.items():
        if value is not None and not (value.isascii() and value.isprintable() and len(value) <= _MAX_FIELD):
            check_value(column, value)
    name, language = values.pop("name", None), values.pop("language", None)
    if language is not None and not is_tag(language):
        raise ValueError(f"{language!r} is not a language tag such as en or zh-Hans")
    return Person(
        line=line,
        email=address.email,
        address_key=address.key,
        domain=address.domain,
        name=name,
        language=language,
        attributes=values,
        cause=row.cause,
        consented_at=row.consented_at,
        confirmed_at=row.confirmed_at,
    )


def _unquoted(cell: str) -> str:
    """The cell without the apostrophe that our own export puts before what a spreadsheet would take for a formula."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in {"=", "+", "-", "@", "'"} else cell


def _rows(path: Path, shown: str) -> Iterator[tuple[int, list[str]]]:
    """Every row with the line it starts on."""
    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise NotFound(f"{shown}: {error.strerror}") from error
    with file:
        if path.stat().st_size > _MAX_BYTES:
            raise InputWrong([_fault(shown, None, "the file is larger than 200 MB", "split it")])
        csv.field_size_limit(_MAX_BYTES)  # a long field is the fault of its row, not the end of the file
        reader = csv.reader(file, strict=True)
        line = 1
        try:
            for cells in reader:
                if cells:
                    yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            raise InputWrong(
                [_fault(shown, line, f"not valid CSV: {error}", "check the quotes, and that commas separate")]
            ) from error
        except UnicodeDecodeError as error:
            raise InputWrong([_encoding_fault(path, shown, error)]) from error


def _encoding_fault(path: Path, shown: str, error: UnicodeDecodeError) -> Fault:
    line = 1
    with path.open("rb") as file:
        for line, raw in enumerate(file, start=1):  # noqa: B007  the line is what we look for
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError:
                break
    what = f"not UTF-8 ({error.reason})"
    return _fault(shown, line, what, "save the file as UTF-8; it may be Windows-1252, GBK or UTF-16 now")


def _is_known(cell: str) -> bool:
    return cell.strip().lower() in {"email", "name", "language"}


def _wrong(columns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    separators = [each for each in ";\t|" if len(columns) == 1 and each in columns[0]]
    if separators:
        yield f"the header has no column 'email', it is separated by {separators[0]!r}", "save it with commas"
        return
    if "email" not in columns:
        yield "the header has no column 'email'", "begin the file with: email,name,language"
    if len(columns) > _MAX_COLUMNS:
        yield f"{len(columns)} columns", f"keep it to {_MAX_COLUMNS}"
    for column in sorted({column for column in columns if columns.count(column) > 1}):
        yield f"the column {column!r} stands twice in the header", "rename one"
    for number, column in enumerate(columns, start=1):
        if not column:
            yield f"column {number} has no name", "name it or remove it"
        else:
            try:
                check_value(f"name of column {number}", column)
            except ValueError as error:
                yield str(error), "rename it"


def _fault(path: str, line: int | None, message: str, remedy: str) -> Fault:
    return Fault(path=path, line=line, message=message, remedy=remedy)
