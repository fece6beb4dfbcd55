import re

import pytest

from dispatcher.content.source.markdown import read_blocks
from dispatcher.content.tree import Figure, Inlines, Link, Text, plain_text
from dispatcher.errors import Fault

URL = "https://example.net/a"


def read(source: str) -> tuple[Figure, list[str]]:
    faults: list[Fault] = []
    figure = read_blocks(source, fields=[], faults=faults, path="issue.md")[0].block
    assert isinstance(figure, Figure)
    return figure, [str(fault) for fault in faults]


def words(text: str) -> Inlines:
    return (Text(text=text),)


def link(text: str) -> Link:
    return Link(url=URL, children=words(text))


@pytest.mark.parametrize(
    ("title", "credit"),
    [
        ("credit=Ann", words("Ann")),
        ("credit=Ann; licence=CC BY 4.0", (*words("Ann"), *words(", CC BY 4.0"))),
        (f"credit=Ann; source={URL}", (link("Ann"),)),
        (f"licence=CC BY 4.0; source={URL}; credit=Ann", (link("Ann"), *words(", CC BY 4.0"))),
        (f"credit=[Ann]({URL}) and Bob; source=https://example.net/b", (link("Ann"), *words(" and Bob"))),
        ("licence=CC0", words("CC0")),
        (f"licence=CC0; source={URL}", (link("CC0"),)),
        (f"source={URL}", (link(URL),)),
        ("dark=img/b.png", ()),
        ("a tooltip", ()),
    ],
)
def test_a_picture_s_credit_stands_beside_its_file_s_name(title: str, credit: Inlines) -> None:
    figure, faults = read(f'![b](img/b.png "{title}")\n\nc\n\nd')
    assert not faults
    assert (figure.credit, plain_text(figure.caption)) == (credit, "c")


def test_what_is_given_beside_the_file_s_name_is_known_to_checks() -> None:
    figure, _ = read(f'![b](b.png "credit=Ann; licence=CC BY 4.0; source={URL}?a=1;b=2; dark=img/dark.png")')
    assert (figure.licence, figure.source_url, figure.dark_source) == ("CC BY 4.0", f"{URL}?a=1;b=2", "img/dark.png")


@pytest.mark.parametrize(
    ("caption", "licence", "source_url"),
    [
        (f"By Seldon. Shared under CC BY-SA 4.0 [[source]({URL})]", "CC BY-SA 4.0", URL),
        (f"插图：Ann，CC BY 4.0 [[来源]({URL})]", "CC BY 4.0", URL),
        (f"*By Ann* *[[source]({URL})]*", "", URL),
        ("In the public domain", "public domain", None),
        (f"See [this]({URL}), which is CCTV", "", None),
    ],
)
def test_a_caption_keeps_its_words_and_tells_its_licence_and_source(
    caption: str, licence: str, source_url: str | None
) -> None:
    figure, faults = read(f"![b](b.png)\n\n{caption}\n\nd")
    assert not faults
    assert (figure.licence, figure.source_url, figure.credit) == (licence, source_url, ())
    assert plain_text(figure.caption) == re.sub(r"\[([^\[\]]+)\]\([^)]*\)|\*", r"\1", caption)


@pytest.mark.parametrize(
    ("title", "fault"),
    [
        ("license=CC0", "a picture has no license; did you mean licence?"),
        ("author=Ann", "a picture has no author; write it as ![what it shows]"),
        ("credit=", "credit is empty; keep one, with a value"),
        ("credit=Ann; credit=Bob", "credit is given twice; keep one"),
        ("credit=Ann; CC0", "“CC0” says nothing about the picture; write it as ![what it shows]"),
        ("source=img/b.png", "link img/b.png is not http, https or mailto"),
        ("dark={{ subscriber.face }}", "the picture for dark screens is no file"),
    ],
)
def test_what_cannot_be_understood_beside_a_file_s_name_is_a_fault(title: str, fault: str) -> None:
    _, faults = read(f'![b](b.png "{title}")')
    assert len(faults) == 1
    assert faults[0].startswith(f"issue.md:1: {fault}")
