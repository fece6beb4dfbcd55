"""Reads what stands between `::: NAME` and `:::`: cards, sponsors, jobs, events and polls."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from markdown_it.token import Token

from dispatcher.content.source.front_matter import day
from dispatcher.content.source.prose import Sheet, address, read_prose, report
from dispatcher.content.tree import (
    Blocks,
    Emphasis,
    Event,
    Events,
    Figure,
    Inline,
    Inlines,
    Job,
    Jobs,
    Link,
    Poll,
    PollAnswer,
    Sponsor,
    Strong,
    plain_text,
)

FORMS = {
    "card": "::: card URL",
    "sponsor": "::: sponsor URL NAME",
    "jobs": "::: jobs",
    "events": "::: events",
    "poll": "::: poll QUESTION",
    "snippet": "::: snippet NAME",
}
"""How each container begins."""

_JOB = "write it as `- [Role](https://…), Company, Place, pay, until 2026-12-31`"
_EVENT = "write it as `- 2026-12-01 [Name](https://…), Place`"
_ANSWER = "write it as `- [Answer](https://…)`"
_COMMA = re.compile(r",(?=\s|$)|[，،]")  # a comma within 70,000 separates nothing
_LAST_DAY = re.compile(r"[^\d,]{0,20}(\d{4}-\d{1,2}-\d{1,2})\D{0,6}")  # in any language: until, bis, 截至, まで
_DAY = re.compile(r"(?P<day>[\d-]+)\s*[,:，：،]?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An item of a container's list: its first link, and the words before and after."""

    number: int
    before: str
    label: Inlines  # empty where there is no link
    url: str
    after: str


def is_sound(token: Token, sheet: Sheet, *, is_nested: bool) -> bool:
    """Whether a `:::` block is one that exists, is closed, and stands where it may; a fault if not."""
    line, name = _line(token), token.info
    if not name:
        report(sheet, line, "this ::: closes nothing", "remove it, or open a container such as `::: card URL`", "NL049")
    elif name not in FORMS:
        nearest = difflib.get_close_matches(name.lower(), FORMS, 1, 0.5)
        choice = f"did you mean `{FORMS[nearest[0]]}`?" if nearest else f"there are {', '.join(FORMS)}"
        report(sheet, line, f"there is no ::: {name}", choice, "NL049")
    elif is_nested and name != "card":
        report(sheet, line, f"::: {name} stands in a list or quotation", "let it begin at the margin", "NL049")
    elif not token.meta["is_closed"]:
        remedy = "put ::: on a line of its own after its text"
        report(sheet, line, f"this {name} is not closed", remedy, "NL002" if name == "card" else "NL049")
    else:
        return True
    return False


# --- sponsors -------------------------------------------------------------------------------------


def read_sponsor(token: Token, body: Blocks, sheet: Sheet) -> Sponsor:
    """`::: sponsor URL NAME`, or `::: sponsor URL NAME | LABEL`; the first picture of its body stands apart."""
    line = _line(token)
    written, _, rest = token.meta["argument"].partition(" ")
    url = address(written, line=line, sheet=sheet)
    name, _, label = (plain_text(read_prose(part.strip(), line=line, sheet=sheet)) for part in rest.partition("|"))
    if not name:
        report(sheet, line, "this sponsor has no name", "write it as `::: sponsor URL NAME`", "NL049")
    if not body:
        report(sheet, line, "this sponsor says nothing", "write its text before the closing :::", "NL049")
    figure = next((block for block in body if isinstance(block, Figure)), None)
    return Sponsor(
        url=url,
        name=name,
        label=label,
        figure=figure,
        body=tuple(block for block in body if block is not figure),
    )


# --- lists ----------------------------------------------------------------------------------------


def read_jobs(token: Token, body: Sequence[Token], sheet: Sheet) -> Jobs:
    return Jobs(items=tuple(_job(line, sheet) for line in _lines(token, body, sheet, form=_JOB)))


def _job(line: Line, sheet: Sheet) -> Job:
    nothing, *parts = map(str.strip, _COMMA.split(line.after))
    until = _last_day(parts[-1], line, sheet) if len(parts) > 2 else None
    if until:
        parts = parts[:-1]
    company, place, *pay = [*parts, "", ""] if len(parts) < 2 else parts
    role = plain_text(line.label)
    if line.before.strip() or nothing or not (role and company and place):
        report(sheet, line.number, "this job lacks its role with a link, its company or its place", _JOB, "NL049")
    return Job(role=role, url=line.url, company=company, place=place, pay=", ".join(filter(None, pay)), until=until)


def _last_day(words: str, line: Line, sheet: Sheet) -> date | None:
    found = _LAST_DAY.fullmatch(words)
    last = day(found[1]) if found else None
    if not last and (found or words.lower().startswith("until")):
        report(sheet, line.number, f"“{words}” is no date", "write it as `until 2026-12-31`", "NL049")
    return last


def read_events(token: Token, body: Sequence[Token], sheet: Sheet) -> Events:
    events = [_event(line, sheet) for line in _lines(token, body, sheet, form=_EVENT)]
    return Events(items=tuple(sorted(events, key=lambda event: event.on)))


def _event(line: Line, sheet: Sheet) -> Event:
    nothing, *parts = map(str.strip, _COMMA.split(line.after, 1))
    written = _DAY.fullmatch(line.before.strip())
    on = day(written["day"]) if written else None
    name, place = plain_text(line.label), "".join(parts)
    if not on:
        report(sheet, line.number, "this event does not begin with its date", _EVENT, "NL049")
    elif nothing or not (name and place):
        report(sheet, line.number, "this event lacks its name with a link, or its place", _EVENT, "NL049")
    return Event(name=name, url=line.url, on=on or date.max, place=place)


def read_poll(token: Token, body: Sequence[Token], sheet: Sheet) -> Poll:
    line = _line(token)
    question = read_prose(token.meta["argument"].strip(), line=line, sheet=sheet)
    if not plain_text(question).strip():
        report(sheet, line, "this poll asks nothing", "write the question after ::: poll", "NL049")
    lines = list(_lines(token, body, sheet, form=_ANSWER))
    for each in lines:
        if each.before.strip() or each.after or not each.label:
            report(sheet, each.number, "this answer is not one link", _ANSWER, "NL049")
    if len(lines) == 1:
        report(sheet, line, "this poll has a single answer", "add another", "NL049")
    return Poll(question=question, answers=tuple(PollAnswer(label=each.label, url=each.url) for each in lines))


def _lines(token: Token, body: Sequence[Token], sheet: Sheet, *, form: str) -> Iterator[Line]:
    """The items of a body that is nothing but a list of single lines; a fault for the first thing that is not."""
    inside = [each for each in body if each.type not in _LISTS]
    if not inside:
        report(sheet, _line(token), f"there is nothing in this ::: {token.info}", form, "NL049")
    for start in range(0, len(inside), len(_ITEM)):
        item = inside[start : start + len(_ITEM)]
        if [each.type for each in item] != _ITEM:
            report(sheet, _line(item[0]), f"::: {token.info} holds only a list, each item one line", form, "NL049")
            return
        yield _line_of(item[_ITEM.index("inline")], sheet)


_LISTS = {"bullet_list_open", "bullet_list_close", "ordered_list_open", "ordered_list_close"}
_ITEM = ["list_item_open", "paragraph_open", "inline", "paragraph_close", "list_item_close"]


def _line_of(content: Token, sheet: Sheet) -> Line:
    inlines = read_prose(content.content, line=_line(content), sheet=sheet)
    for index, inline in enumerate(inlines):
        if link := _link_in(inline):
            before, after = plain_text(inlines[:index]), plain_text(inlines[index + 1 :])
            return Line(number=_line(content), before=before, label=link.children, url=link.url, after=after.strip())
    return Line(number=_line(content), before=plain_text(inlines), label=(), url="", after="")


def _link_in(inline: Inline) -> Link | None:
    match inline:
        case Link():
            return inline
        case Emphasis(children=(Link() as link,)) | Strong(children=(Link() as link,)):
            return link
        case _:
            return None


def _line(token: Token) -> int:
    return token.map[0] if token.map else 0
