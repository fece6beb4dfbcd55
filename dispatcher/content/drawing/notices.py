"""Writes what is set in rows as text: jobs, events, the answers of a poll, and tables."""

from dispatcher.content.drawing.addresses import Links, shown_url
from dispatcher.content.drawing.lines import prefixed, sentence, with_addresses, wrapped
from dispatcher.content.drawing.wrap import columns
from dispatcher.content.tree import Event, Events, Job, Jobs, Poll, Table, plain_text
from dispatcher.content.wording import Wording, closing, facts, spell_date

_GAP = "  "  # between the columns of a table


def jobs(block: Jobs, links: Links, wording: Wording, width: int) -> str:
    return "\n\n".join(_row(_job(job, wording), job.url, links, width) for job in block.items)


def events(block: Events, links: Links, wording: Wording, width: int) -> str:
    return "\n\n".join(_row(_event(event, wording), event.url, links, width) for event in block.items)


def poll(block: Poll, links: Links, width: int) -> str:
    question = wrapped(sentence(block.question, links), width)
    answers = (_row(plain_text(answer.label), answer.url, links, width) for answer in block.answers)
    return "\n\n".join([question, "\n".join(answers)])


def table(block: Table, links: Links, wording: Wording, width: int) -> str:
    """Columns side by side where they fit; else each row's cells on lines of their own, under their headings."""
    header = [sentence(cell, links) for cell in block.header]
    rows = [[sentence(cell, links) for cell in row] for row in block.rows]
    widths = [max(columns(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    is_one_line = all("\n" not in cell for row in rows for cell in row)
    if is_one_line and sum(widths) + len(_GAP) * (len(widths) - 1) <= width:
        lines = [header, ["-" * wide for wide in widths], *rows]
        return "\n".join(_set(line, widths, block) for line in lines)
    labels = [wording.strings["labelled"].format(label=cell) if cell else "" for cell in header]
    return "\n\n".join(
        "\n".join(_cell(label, cell, width) for label, cell in zip(labels, row, strict=True) if cell) for row in rows
    )


def _job(job: Job, wording: Wording) -> str:
    about = facts(job.company, job.place, job.pay, closing(job.until, wording), strings=wording.strings)
    return f"{job.role}\n{about}"


def _event(event: Event, wording: Wording) -> str:
    day = spell_date(event.on, wording.language, "medium")
    return f"{facts(day, event.name, strings=wording.strings)}\n{event.place}"


def _row(said: str, url: str, links: Links, width: int) -> str:
    return prefixed(with_addresses(said, [shown_url(url)], links, width - 2), "- ", "  ")


def _set(cells: list[str], widths: list[int], block: Table) -> str:
    """One line of a table whose columns are aligned as the author asked."""
    placed = []
    for cell, wide, align in zip(cells, widths, block.align, strict=True):
        spare = wide - columns(cell)
        before = spare if align == "right" else spare // 2 if align == "center" else 0
        placed.append(" " * before + cell + " " * (spare - before))
    return _GAP.join(placed).rstrip()


def _cell(label: str, cell: str, width: int) -> str:
    said = f"{label} {cell}" if label and not label.endswith("：") else f"{label}{cell}"
    return wrapped(said, width)
