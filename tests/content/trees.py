"""Documents built by hand, and the letterhead of the tests."""

from datetime import date
from pathlib import Path

from dispatcher.content.compose import compose
from dispatcher.content.source import Draft
from dispatcher.content.theme import find_theme
from dispatcher.content.tree import (
    Blocks,
    ContinueReading,
    Document,
    Figure,
    Inlines,
    Link,
    LinkCard,
    Note,
    Paragraph,
    Quotation,
    RelatedLinks,
    Section,
    Story,
    Text,
)
from dispatcher.models import Edition, Field, Letterhead

ROOT = Path(__file__).parents[2]
LETTERHEAD = Letterhead(
    newsletter="Life with Data",
    sender="Life with Data <weekly@example.org>",
    reply_to=None,
    postal_address="1 Example Street",
    base_url="https://news.example.org",
)
STRINGS = {"labelled": "{label}:", "picture": "[Picture: {alt}]"}


def words(text: str) -> Inlines:
    return (Text(text=text),)


def paragraph(text: str) -> Paragraph:
    return Paragraph(children=words(text))


def link(url: str, text: str) -> Link:
    return Link(url=url, children=words(text))


def figure(source: str = "img/a.png", alt: str = "a picture") -> Figure:
    return Figure(source=source, alt=alt, caption=(), picture=None, path="issues/29/issue.md", line=14)


def story(*body: object, title: str = "A story", anchor: str = "a-story") -> Story:
    return Story(title=words(title), anchor=anchor, body=tuple(body), line=1)  # type: ignore[arg-type]


def document(*stories: Story, intro: Blocks = (), notes: tuple[Note, ...] = (), title: str = "Issue 29") -> Document:
    section = Section(title=words("Applications"), anchor="applications", stories=stories)
    return Document(title=words(title), source_url=None, intro=intro, sections=(section,), notes=notes, colophon=())


def full_story() -> Story:
    """One of everything that a story of the seed has."""
    return story(
        Quotation(children=(paragraph("团队可能很难掌握 MLOps。"), paragraph("第二段。"))),
        ContinueReading(url="https://example.org/article", label=words("继续阅读")),
        RelatedLinks(label=words("深入阅读"), items=((link("https://example.org/code", "代码"),),)),
        LinkCard(
            url="https://example.org/card", title=words("A card"), description=words("About it"), site="example.org"
        ),
    )


def edition(
    made: Document,
    *,
    language: str = "en",
    fields: tuple[Field, ...] = (),
    preheader: str = "What is in it",
    folder: Path = ROOT,
    newsletter: Path = ROOT,
    letterhead: Letterhead = LETTERHEAD,
    label_missing: bool = False,
) -> Edition:
    """The document, composed with the default theme."""
    draft = Draft(
        language=language,
        path=folder / "issue.md",
        title="Issue 29",
        subject="Issue 29",
        preheader=preheader,
        date=date(2020, 12, 30),
        theme=None,
        list=None,
        document=made,
        fields=fields,
    )
    return compose(
        draft,
        number=29,
        folder=folder,
        theme=find_theme("default", newsletter),
        letterhead=letterhead,
        label_missing=label_missing,
    )
