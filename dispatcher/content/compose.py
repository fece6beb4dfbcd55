"""Makes an edition out of a draft: pictures placed, MJML and text drawn by the theme, styles inlined."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import pass_environment

from dispatcher.content import html, text
from dispatcher.content.addresses import shown_url
from dispatcher.content.budget import MAX_BYTES, Weight, weigh
from dispatcher.content.inline import damage, inline_styles, take_inlined_styles
from dispatcher.content.mirror import mirrored
from dispatcher.content.mjml import mjml_to_html
from dispatcher.content.pictures import place_pictures
from dispatcher.content.source import Draft
from dispatcher.content.theme import Theme, open_environment, read_strings, render, shown_path
from dispatcher.content.tree import (
    Block,
    Blocks,
    Document,
    Figure,
    Items,
    Paragraph,
    Quotation,
    Sponsor,
    plain_text,
)
from dispatcher.content.wording import Wording, closing, spell_date, sponsored
from dispatcher.content.wrap import wrap
from dispatcher.errors import Fault, InputWrong
from dispatcher.models import Edition, Field, Letterhead, Picture


def compose(
    draft: Draft,
    *,
    number: int,
    folder: Path,
    theme: Theme,
    letterhead: Letterhead,
    label_missing: bool = False,
) -> Edition:
    """The edition of a draft; the same input gives the same bytes.

    With `label_missing`, a picture that cannot be used is drawn as a box with its name instead of raising InputWrong.
    """
    document, faults = place_pictures(draft.document, folder)
    if faults and not label_missing:
        raise InputWrong(faults)
    draft = replace(draft, document=document)
    made = _draw(draft, number=number, theme=theme, letterhead=letterhead, compact=False)
    weight = _weigh(made, document)
    if weight.is_near:
        made = _draw(draft, number=number, theme=theme, letterhead=letterhead, compact=True)
        weight = _weigh(made, document)
    if weight.is_over:
        raise InputWrong([_too_large(weight, document, shown_path(draft.path, theme))])
    return made


def _weigh(edition: Edition, document: Document) -> Weight:
    return weigh(edition.html, [story.anchor for section in document.sections for story in section.stories])


def _too_large(weight: Weight, document: Document, path: str) -> Fault:
    titles = {story.anchor: plain_text(story.title) for section in document.sections for story in section.stories}
    named = [f"“{titles[anchor]}” {size:,}" for anchor, size in weight.largest()]
    largest = f"; the largest stories: {', '.join(named)}" if named else ""
    return Fault(
        path=path,
        message=f"the HTML has {weight.total:,} bytes, and Gmail cuts it off after {MAX_BYTES:,}{largest}",
        remedy="shorten the issue, or send it as two",
    )


def _draw(draft: Draft, *, number: int, theme: Theme, letterhead: Letterhead, compact: bool) -> Edition:
    """The edition as the theme draws it; `compact` asks for few wrappers between the stories."""
    document = draft.document
    fields: list[Field] = list(draft.fields)
    strings = read_strings(theme, draft.language)
    environment = open_environment(
        theme,
        into=fields,
        strings=strings,
        document=document,
        **_masthead(document),
        compact=compact,
        numbers=_story_numbers(document),
        language=draft.language,
        number=number,
        date=spell_date(draft.date, draft.language),
        title=plain_text(document.title),
        preheader=draft.preheader,
        newsletter=letterhead.newsletter,
        postal_address=letterhead.postal_address,
    )
    environment.filters |= _filters(Wording(language=draft.language, strings=strings), letterhead)
    mjml = render(environment, "issue.mjml", theme)
    return Edition(
        number=number,
        language=draft.language,
        newsletter=letterhead.newsletter,
        sender=letterhead.sender,
        reply_to=letterhead.reply_to,
        subject=draft.subject,
        html=_finished(mjml, f"templates/{theme.name}/issue.mjml", turned=strings["dir"] == "rtl"),
        text=render(environment, "issue.txt", theme).rstrip("\n") + "\n",
        fields=tuple(fields),
        pictures=tuple(dict.fromkeys(_pictures(document))),
        inline_pictures=letterhead.inline_pictures,
    )


def _finished(mjml: str, path: str, *, turned: bool) -> str:
    plain, rules = take_inlined_styles(mjml)
    finished = inline_styles(mjml_to_html(plain, path=path), rules)
    if turned:
        finished = mirrored(finished)
    if losses := damage(mjml, finished):
        message = f"rendering lost or damaged {', '.join(losses)}"
        raise InputWrong([Fault(path=path, message=message, remedy="keep personal fields out of comments and styles")])
    return finished


def _filters(wording: Wording, letterhead: Letterhead) -> dict[str, Callable[..., Any]]:
    return {
        "html": html.html,
        "isolated": partial(html.isolated, direction=wording.strings["dir"]),
        "blocks": pass_environment(html.blocks),
        "item": pass_environment(html.item),
        "address": partial(_address, letterhead=letterhead),
        "words": plain_text,
        "capital": text.capital,
        "body": lambda blocks, title=(): text.body(blocks, wording, title),
        "underline": text.underline,
        "shown_url": shown_url,
        "wrap": lambda words: "\n".join(wrap(words)),
        "day": lambda day: spell_date(day, wording.language, "medium"),
        "closing": lambda until: closing(until, wording),
        "sponsored": lambda sponsor: sponsored(sponsor.name, sponsor.label, wording.strings),
    }


def _address(picture: Picture, letterhead: Letterhead) -> str:
    return f"cid:{picture.name}" if letterhead.inline_pictures else f"{letterhead.base_url}/pictures/{picture.name}"


def _masthead(document: Document) -> dict[str, Any]:
    """The intro in three: a tagline is the paragraph before an opening picture."""
    intro = document.intro
    at = next((at for at, block in enumerate(intro[:2]) if isinstance(block, Figure)), None)
    if at is None or not all(isinstance(block, Paragraph) for block in intro[:at]):
        return {"tagline": None, "opening": None, "intro": intro}
    return {"tagline": intro[0] if at else None, "opening": intro[at], "intro": intro[at + 1 :]}


def _story_numbers(document: Document) -> dict[str, int]:
    stories = (story for section in document.sections for story in section.stories)
    return {story.anchor: number for number, story in enumerate(stories, start=1)}


def _pictures(document: Document) -> Iterator[Picture]:
    yield from _pictures_in(document.intro)
    for section in document.sections:
        for story in section.stories:
            yield from _pictures_in(story.body)
    for note in document.notes:
        yield from _pictures_in(note.body)
    yield from _pictures_in(document.colophon)


def _pictures_in(blocks: Blocks) -> Iterator[Picture]:
    for block in blocks:
        yield from _pictures_of(block)


def _pictures_of(block: Block) -> Iterator[Picture]:
    match block:
        case Figure(picture=picture, dark=dark):
            yield from (each for each in (picture, dark) if each is not None)
        case Sponsor(figure=Figure() as figure, body=body):
            yield from _pictures_in((figure, *body))
        case Sponsor(body=body):
            yield from _pictures_in(body)
        case Quotation(children=children):
            yield from _pictures_in(children)
        case Items(items=items):
            for item in items:
                yield from _pictures_in(item)
        case _:
            pass
