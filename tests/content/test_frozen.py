"""Frozen editions: what is kept is what was made, and equal editions freeze to equal text."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.content.message.frozen import content_hash, freeze_edition, picture_names, thaw_edition
from dispatcher.models import Edition, Field, Picture

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
pictures = st.builds(
    Picture,
    name=st.from_regex(r"[0-9a-f]{8}\.png", fullmatch=True),
    media_type=st.just("image/png"),
    content=st.binary(max_size=20),
    width=st.integers(1, 2000),
    height=st.integers(1, 2000),
)
editions = st.builds(
    Edition,
    number=st.integers(1, 10_000),
    language=st.sampled_from(["en", "zh-Hans"]),
    newsletter=texts,
    sender=texts,
    reply_to=st.none() | texts,
    subject=texts,
    html=texts,
    text=texts,
    fields=st.lists(st.builds(Field, source=texts, path=texts, line=st.integers(1, 999)), max_size=3).map(tuple),
    pictures=st.lists(pictures, max_size=3, unique_by=lambda picture: picture.name).map(tuple),
    inline_pictures=st.booleans(),
)
EDITION = Edition(
    number=29, language="en", newsletter="N", sender="a@example.org", reply_to=None, subject="s", html="<p>", text="t",
    fields=(Field(source="{{ subscriber.name }}", path="issue.md", line=3),),
    pictures=(Picture(name="3f.png", media_type="image/png", content=b"png", width=1, height=2),),
    inline_pictures=False,
)  # fmt: skip


@given(editions)
def test_a_frozen_edition_thaws_to_what_it_was(edition: Edition) -> None:
    frozen = freeze_edition(edition)
    assert thaw_edition(frozen, {each.name: each.content for each in edition.pictures}) == edition
    assert picture_names(frozen) == [each.name for each in edition.pictures]
    assert "\n" not in frozen


@given(editions)
def test_equal_editions_freeze_to_equal_text(edition: Edition) -> None:
    again = thaw_edition(freeze_edition(edition), {each.name: each.content for each in edition.pictures})
    assert freeze_edition(again) == freeze_edition(edition)


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": "other"}, {"html": "<b>"}, {"text": "u"}, {"sender": "b@example.org"},
        {"reply_to": "c@example.org"},
        {"language": "de"}, {"newsletter": "M"}, {"inline_pictures": True}, {"pictures": ()}, {"number": 30},
        {"pictures": (replace(EDITION.pictures[0], name="4f.png"),)},
        {"fields": (replace(EDITION.fields[0], source="{{ subscriber.email }}"),)},
    ],
    ids=str,
)  # fmt: skip
def test_whatever_reaches_the_reader_is_in_the_hash(changed: dict[str, object]) -> None:
    other = replace(EDITION, **changed)  # type: ignore[arg-type]
    assert content_hash(freeze_edition(other)) != content_hash(freeze_edition(EDITION))


def test_a_pictures_bytes_stay_out_of_the_text() -> None:
    assert "png" not in freeze_edition(EDITION).replace("image/png", "").replace("3f.png", "")
    with pytest.raises(KeyError):
        thaw_edition(freeze_edition(EDITION), {})
