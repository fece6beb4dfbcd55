"""Checks that jobs, events and sponsors are still true on the day that the issue goes out."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import TypeVar

from dispatcher.content.checking.proof import Proof, shortened
from dispatcher.content.tree import Event, Job, Sponsor
from dispatcher.content.wording import sponsored
from dispatcher.errors import Fault

Kind = TypeVar("Kind")


def closed_jobs(proof: Proof) -> Iterator[Fault]:
    for job in _every(proof.document, Job):
        if job.until and job.until < proof.day:
            message = f"the job “{shortened(job.role)}” closed on {job.until}, before the issue goes out"
            yield proof.fault(message, "remove it, or correct its last day", line=proof.line_of(job.url))


def past_events(proof: Proof) -> Iterator[Fault]:
    for event in _every(proof.document, Event):
        if event.on < proof.day:
            message = f"the event “{shortened(event.name)}” was on {event.on}, before the issue goes out"
            yield proof.fault(message, "remove it, or correct its date", line=proof.line_of(event.url))


def unlabelled_sponsors(proof: Proof) -> Iterator[Fault]:
    """A theme of one's own may forget what the law asks for: that paid words are called so, in both parts."""
    addresses = " ".join(str(url) for url in proof.page.xpath("//a/@href"))
    parts = (
        ("HTML", "blocks.mjml", " ".join(proof.page.text_content().split()), addresses),
        ("text", "issue.txt", " ".join(proof.text.split()), proof.text),
    )
    for sponsor in _every(proof.document, Sponsor):
        label = " ".join(sponsored(sponsor.name, sponsor.label, proof.strings).split())
        for part, file, words, addressed in parts:
            if sponsor.url in addressed and label not in words:
                message = f"the {part} part does not say that {shortened(sponsor.name)} paid for its words"
                yield proof.fault_of_theme(file, message, f"print the label over them: “{label}”")


def _every(value: object, kind: type[Kind]) -> Iterator[Kind]:
    if isinstance(value, kind):
        yield value
    if isinstance(value, tuple):
        for child in value:
            yield from _every(child, kind)
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from _every(getattr(value, each.name), kind)
