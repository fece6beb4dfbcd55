from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.content.source.markdown import read_blocks
from dispatcher.content.tree import (
    Block,
    Event,
    Events,
    Figure,
    Items,
    Job,
    Jobs,
    Link,
    Paragraph,
    Poll,
    PollAnswer,
    Sponsor,
    Strong,
    Text,
)
from dispatcher.errors import Fault

URL = "https://example.net/a"


def read(source: str) -> tuple[list[Block], list[str]]:
    faults: list[Fault] = []
    placed = read_blocks(source, fields=[], faults=faults, path="issue.md")
    return [one.block for one in placed], [str(fault) for fault in faults]


def only(source: str) -> Block:
    (block,), faults = read(source)
    assert not faults
    return block


def paragraph(words: str) -> Paragraph:
    return Paragraph(children=(Text(text=words),))


def test_a_sponsor_has_an_address_a_name_and_a_text() -> None:
    sponsor = only(f"::: sponsor {URL} Leaf & *Sons*\nTea\nsince 1871.\n\n- green\n- black\n:::")
    items = Items(items=((paragraph("green"),), (paragraph("black"),)))
    body = (paragraph("Tea since 1871."), items)
    assert sponsor == Sponsor(url=URL, name="Leaf & Sons", label="", figure=None, body=body)


def test_a_sponsor_may_bring_a_picture_and_a_label() -> None:
    sponsor = only(f"::: sponsor {URL} Leaf | In partnership with\n![a leaf](img/leaf.png)\n\nOne.\n\nTwo.\n:::")
    assert isinstance(sponsor, Sponsor)
    assert isinstance(sponsor.figure, Figure)
    assert (sponsor.label, sponsor.figure.source, sponsor.figure.caption) == ("In partnership with", "img/leaf.png", ())
    assert sponsor.body == (paragraph("One."), paragraph("Two."))


@pytest.mark.parametrize(
    ("written", "pay", "until"),
    [
        ("", "", None),
        (", €70,000–80,000", "€70,000–80,000", None),
        (", until 2026-12-31", "", date(2026, 12, 31)),
        (", €70,000, and tea, until 2026-12-31", "€70,000, and tea", date(2026, 12, 31)),
        ("，薪资面议，截至 2026-12-31", "薪资面议", date(2026, 12, 31)),
        ("، راتب مجزٍ، حتى 2026-12-31", "راتب مجزٍ", date(2026, 12, 31)),
        (", 2026-12-31", "", date(2026, 12, 31)),
        (", 2026-12-31まで", "", date(2026, 12, 31)),
    ],
)
def test_a_job_may_say_what_it_pays_and_its_last_day(written: str, pay: str, until: date | None) -> None:
    job = Job(role="Tea taster", url=URL, company="Leaf & Sons", place="上海", pay=pay, until=until)
    assert only(f"::: jobs\n- [Tea taster]({URL}), Leaf & Sons, 上海{written}\n:::") == Jobs(items=(job,))


def test_a_role_may_be_emphasised_and_hold_a_readers_field() -> None:
    jobs = only(f"::: jobs\n- **[{{{{ subscriber.role }}}}]({URL})**, Leaf, Example City\n:::")
    assert isinstance(jobs, Jobs)
    assert jobs.items[0].role == "zq0xqz"


def test_events_are_listed_by_date() -> None:
    source = (
        f"::: events\n- 2027-02-03 [Steam Week]({URL}), Example City, Hall 4\n- 2026-12-01: [聚会]({URL})，线上\n:::"
    )
    assert only(source) == Events(
        items=(
            Event(name="聚会", url=URL, on=date(2026, 12, 1), place="线上"),
            Event(name="Steam Week", url=URL, on=date(2027, 2, 3), place="Example City, Hall 4"),
        )
    )


def test_a_poll_is_a_question_with_links_for_answers() -> None:
    poll = only(f"::: poll With **milk**?\n- [Yes]({URL})\n- [**No**](mailto:ann@example.com)\n:::")
    milk = Strong(children=(Text(text="milk"),))
    answers = (
        PollAnswer(label=(Text(text="Yes"),), url=URL),
        PollAnswer(label=(Text(text="No"),), url="mailto:ann@example.com"),
    )
    assert poll == Poll(question=(Text(text="With "), milk, Text(text="?")), answers=answers)


def test_an_address_may_be_defined_elsewhere() -> None:
    blocks, faults = read(f"::: poll Tea?\n- [Yes]\n- [No][Yes]\n:::\n\n[Yes]: {URL}")
    assert not faults
    assert isinstance(blocks[0], Poll)
    assert {answer.url for answer in blocks[0].answers} == {URL}


def test_a_container_wins_over_what_its_text_looks_like() -> None:
    button = only(f"::: sponsor {URL} Leaf\n[… continue reading]({URL})\n:::")
    assert isinstance(button, Sponsor)
    assert isinstance(button.body[0], Paragraph)
    assert isinstance(button.body[0].children[0], Link)


@pytest.mark.parametrize(
    ("source", "line", "fault"),
    [
        ("::: sponsr x\n:::", 1, "there is no ::: sponsr; did you mean `::: sponsor URL NAME`?"),
        ("::: Jobs\n:::", 1, "there is no ::: Jobs; did you mean `::: jobs`?"),
        ("::: 招聘\n:::", 1, "there is no ::: 招聘; there are card, sponsor, jobs, events, poll, snippet"),
        ("a\n\n::: jobs\n- b", 3, "this jobs is not closed; put ::: on a line of its own"),
        ("> ::: jobs\n> :::", 1, "::: jobs stands in a list or quotation; let it begin at the margin"),
        ("- ::: snippet about", 1, "::: snippet stands in a list or quotation"),
        ("::: jobs\n> ::: jobs\n:::", 2, "a ::: stands inside the jobs; close the one"),
        ("::: sponsor\n> ::: card x\n:::", 2, "a ::: stands inside the sponsor; close the one"),
        (f"::: sponsor {URL}\nTea.\n:::", 1, "this sponsor has no name; write it as"),
        (f"::: sponsor {URL} Leaf\n:::", 1, "this sponsor says nothing"),
        ("::: sponsor Leaf\nTea.\n:::", 1, "link Leaf is not http, https or mailto"),
        (f"::: sponsor {URL} Leaf\n\nTea.\n\n[b](c)\n:::", 5, "link c is not http"),
        ("::: jobs\n:::", 1, "there is nothing in this ::: jobs; write it as `- [Role]"),
        ("::: jobs\n\nText.\n:::", 3, "::: jobs holds only a list, each item one line; write it as `- [Role]"),
        (f"::: jobs\n- [a]({URL}), b, c\n  - d\n:::", 2, "::: jobs holds only a list"),
        ("::: jobs\n- \n:::", 2, "::: jobs holds only a list"),
        (f"::: jobs\n- [a]({URL}), b\n:::", 2, "this job lacks its role with a link, its company or its place"),
        (f"::: jobs\n- [a]({URL}), , c\n:::", 2, "this job lacks"),
        (f"::: jobs\n- [a]({URL}) b, c\n:::", 2, "this job lacks"),
        (f"::: jobs\n- a [b]({URL}), c, d\n:::", 2, "this job lacks"),
        ("::: jobs\n- a, b, c\n:::", 2, "this job lacks"),
        (f"::: jobs\n- [a]({URL}), b, c, until 2026-13-31\n:::", 2, "“until 2026-13-31” is no date"),
        (f"::: jobs\n- [a]({URL}), b, c, until May\n:::", 2, "“until May” is no date; write it as `until 2026-12-31`"),
        (f"::: events\n- [a]({URL}), b\n:::", 2, "this event does not begin with its date; write it as `- 2026-12-01"),
        (f"::: events\n- 2026-02-30 [a]({URL}), b\n:::", 2, "this event does not begin with its date"),
        (f"::: events\n- 2026-02-20 [a]({URL})\n:::", 2, "this event lacks its name with a link, or its place"),
        (f"::: poll\n- [a]({URL})\n- [b]({URL})\n:::", 1, "this poll asks nothing; write the question"),
        (f"::: poll Tea?\n- [a]({URL})\n:::", 1, "this poll has a single answer; add another"),
        (f"::: poll Tea?\n- [a]({URL})\n- b\n:::", 3, "this answer is not one link; write it as `- [Answer]"),
        (f"::: poll Tea?\n- [a]({URL})\n- [b]({URL}) c\n:::", 3, "this answer is not one link"),
        ("::: snippet about", 1, "a standing text cannot hold another; write it out"),
    ],
)
def test_what_a_container_lacks_is_a_fault_with_its_line(source: str, line: int, fault: str) -> None:
    _, faults = read(source)
    assert faults[0].startswith(f"issue.md:{line}: {fault}"), faults


PIECES = [
    "::: jobs\n", "::: events\n", "::: poll a?\n", f"::: sponsor {URL} b | c\n", "::: snippet d\n", ":::\n", "::: ",
    "> ", "- ", "1. ", "\n", "    ", f"[e]({URL})", "[e]: f\n", ", ", "，", "2026-12-31", "until ", "2026-99-99",
    "| g | h |\n", "|---|:-:|\n", "![i](j.png)\n\n", '![i](j.png "credit=k; dark=l")\n\n', "m", "## n {.brief}\n",
    "{.lead}", "{{ subscriber.o }}", "{% if subscriber.p %}", "{% endif %}", "**", "[", "](", "|", "---\n",
]  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_mixture_of_containers_is_read_and_faults_lie_within_it(source: str) -> None:
    faults: list[Fault] = []
    read_blocks(source, fields=[], faults=faults, path="issue.md")
    assert all(fault.remedy and fault.line and 1 <= fault.line <= source.count("\n") + 1 for fault in faults)


def test_containers_cannot_be_stacked_to_any_depth() -> None:
    source = "".join(f"{'> ' * depth}::: sponsor {URL} a\n" for depth in range(2000))
    _, faults = read(source)
    assert len(faults) < 10
