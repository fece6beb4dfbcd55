"""Documents built by hand, and the letterhead of the tests."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from dispatcher.content.compose import compose
from dispatcher.content.drawing.theme import find_theme, read_strings
from dispatcher.content.source.issue import Draft
from dispatcher.content.tree import (
    Blocks,
    CodeBlock,
    ContinueReading,
    Document,
    Event,
    Events,
    Figure,
    Inlines,
    Job,
    Jobs,
    Link,
    LinkCard,
    Note,
    Paragraph,
    Poll,
    PollAnswer,
    Quotation,
    RelatedLinks,
    Section,
    Sponsor,
    Story,
    StoryKind,
    Table,
    Text,
)
from dispatcher.content.wording import Wording
from dispatcher.models import Edition, Field, Letterhead

ROOT = Path(__file__).parents[2]
LETTERHEAD = Letterhead(
    newsletter="Life with Data",
    sender="Life with Data <weekly@example.org>",
    reply_to=None,
    postal_address="1 Example Street",
    base_url="https://news.example.org",
)
TUESDAY = date(2026, 12, 1)
ENGLISH, CHINESE = (
    Wording(language=language, strings=read_strings(find_theme("default", ROOT), language)) for language in ("en", "zh")
)


def words(text: str) -> Inlines:
    return (Text(text=text),)


def paragraph(text: str) -> Paragraph:
    return Paragraph(children=words(text))


def link(url: str, text: str) -> Link:
    return Link(url=url, children=words(text))


def figure(source: str = "img/a.png", alt: str = "a picture") -> Figure:
    return Figure(source=source, alt=alt, caption=(), picture=None, path="issues/29/issue.md", line=14)


def story(
    *body: object, title: str = "A story", anchor: str = "a-story", kind: StoryKind = StoryKind.ORDINARY
) -> Story:
    return Story(title=words(title), anchor=anchor, body=tuple(body), line=1, kind=kind)  # type: ignore[arg-type]


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


def everything() -> Document:
    """One of each content type, in a lead, an ordinary story, two briefs and a note."""
    picture = figure()
    lead = story(
        replace(
            picture,
            caption=words("A pelican at a typewriter"),
            credit=(
                Text(text="Photo: "),
                link("https://photos.example.org/1", "Ann Example"),
                Text(text=", CC BY 4.0"),
            ),
            licence="CC BY 4.0",
            source_url="https://photos.example.org/1",
            dark_source="img/a-dark.png",
        ),
        Quotation(children=(paragraph("The whole pipeline now fits into one file, and nobody misses the rest."),)),
        paragraph("Why it matters: what took a team of five a quarter now takes an afternoon."),
        ContinueReading(url="https://example.org/lead", label=words("continue reading at Example")),
        RelatedLinks(label=words("Dig in"), items=((link("https://example.org/paper", "The paper"),),)),
        title="The lead story takes the room it needs",
        anchor="lead",
        kind=StoryKind.LEAD,
    )
    ordinary = story(
        paragraph("A story with code and a table."),
        CodeBlock(text='SELECT name, "count(*)"\nFROM a_table_with_a_very_long_name_that_goes_on_and_on;\n'),
        Table(
            header=(words("Model"), words("Parameters"), words("Licence"), words("Score")),
            align=("left", "right", "", "right"),
            rows=(
                (words("Tiny"), words("70,000"), (link("https://example.org/mit", "MIT"),), words("61.4")),
                (words("Considerable"), words("7,000,000"), words("Apache-2.0"), words("87.0")),
            ),
        ),
        title="An ordinary story",
        anchor="ordinary",
    )
    briefs = (
        story(picture, paragraph("One line."), title="A brief", anchor="brief", kind=StoryKind.BRIEF),
        story(
            Paragraph(children=(Text(text="Another line, "), link("https://example.org/b", "with a link"))),
            title="A second brief",
            anchor="second-brief",
            kind=StoryKind.BRIEF,
        ),
    )
    notices = Note(
        title=words("Notices"),
        anchor="notices",
        body=(
            Sponsor(
                url="https://sponsor.example.com",
                name="Acme Databases",
                label="",
                figure=None,
                body=(paragraph("A database that forgets nothing, for people who forget everything."),),
            ),
            Jobs(
                items=(
                    Job(
                        role="Data engineer",
                        url="https://jobs.example.org/1",
                        company="Example Ltd",
                        place="Lisbon or remote",
                        pay="€70,000",
                        until=date(2026, 12, 31),
                    ),
                    Job(role="Editor", url="https://jobs.example.org/2", company="News", place="", pay="", until=None),
                )
            ),
            Events(
                items=(
                    Event(name="PyData", url="https://pydata.example.org", on=date(2026, 11, 5), place="Berlin"),
                    Event(name="Open hours", url="https://meet.example.org", on=TUESDAY, place=""),
                )
            ),
            Poll(
                question=words("How long should an issue be?"),
                answers=(
                    PollAnswer(label=words("As it is"), url="https://polls.example.org/same"),
                    PollAnswer(label=words("Shorter"), url="mailto:poll@example.org"),
                ),
            ),
            LinkCard(
                url="https://example.org/card", title=words("A card"), description=words("About it"), site="example.org"
            ),
        ),
    )
    made = document(lead, ordinary, *briefs, intro=(paragraph("What is new this week."),), notes=(notices,))
    return replace(made, source_url="https://example.org/first", colophon=(paragraph("Made by hand."),))


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
    theme: str = "default",
) -> Edition:
    """The document, composed with a packaged theme."""
    draft = Draft(
        language=language,
        path=folder / "issue.md",
        title="Issue 29",
        subject="Issue 29",
        preheader=preheader,
        date=date(2020, 12, 30),
        theme=None,
        list=None,
        only=None,
        document=made,
        fields=fields,
    )
    return compose(
        draft,
        number=29,
        folder=folder,
        theme=find_theme(theme, newsletter),
        letterhead=letterhead,
        label_missing=label_missing,
    )
