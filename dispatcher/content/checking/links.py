"""Checks where the issue's links lead, and whether their words say so."""

import re
from collections.abc import Iterator

from dispatcher.content.checking.proof import Proof, Reference, references, shortened
from dispatcher.content.checking.urls import SHORTENERS, canonical, disguise, host_of, is_private, trackers
from dispatcher.content.personal import has_mark
from dispatcher.errors import Fault

_VAGUE = frozenset(
    "here|click here|this|this link|link|more|read more|learn more|see more|click|click this|go|details"
    "|hier|hier klicken|mehr|weiterlesen|ici|cliquez ici|en savoir plus|aquí|clic aquí|leer más"
    "|点击|点击这里|点这里|这里|此处|查看|更多|阅读更多|點擊這裡|這裡|こちら|ここ|여기".split("|")
)
_LOOKS_LIKE_A_HOST = re.compile(r"(?:https?://)?(?P<host>(?:[\w-]+\.)+[a-z]{2,24})(?:[/?#:]\S*)?", re.IGNORECASE)


def private_addresses(proof: Proof) -> Iterator[Fault]:
    for each in _on_the_web(proof):
        if is_private(host_of(each.url)):
            message = f"link {shortened(each.url)} leads to a private address, which no reader can reach"
            yield proof.fault(message, "link to the public page", line=each.line)


def vague_words(proof: Proof) -> Iterator[Fault]:
    for each in references(proof):
        if each.words.strip(" .…!:>→»").casefold() in _VAGUE:
            message = f"the link text “{shortened(each.words)}” does not say where it leads"
            yield proof.fault(message, "name the page that it leads to", line=each.line)


def shortened_addresses(proof: Proof) -> Iterator[Fault]:
    for each in _on_the_web(proof):
        if host_of(each.url) in SHORTENERS:
            message = f"{shortened(each.url)} hides where it leads, and spam filters distrust it"
            yield proof.fault(message, "link to the page itself", line=each.line)


def tracked_addresses(proof: Proof) -> Iterator[Fault]:
    for each in _on_the_web(proof):
        if not each.is_paid and (names := trackers(each.url)):
            message = f"link “{shortened(each.words)}” carries {', '.join(names)}, which follows the reader"
            yield proof.fault(message, "cut it off the address", line=each.line)


def unencrypted_addresses(proof: Proof) -> Iterator[Fault]:
    for each in _on_the_web(proof):
        if each.url.startswith("http://") and not is_private(host_of(each.url)):
            message = f"link {shortened(each.url)} is not encrypted, and browsers warn of that"
            yield proof.fault(message, "write it with https://", line=each.line)


def misleading_words(proof: Proof) -> Iterator[Fault]:
    """Words that look like one host's address and lead to another's, as in phishing."""
    for each in _on_the_web(proof):
        shown = _LOOKS_LIKE_A_HOST.fullmatch(each.words.strip())
        if shown and not _is_same_site(shown["host"].lower(), host_of(each.url)):
            message = f"the link text “{shortened(each.words)}” names another site than {host_of(each.url)}"
            yield proof.fault(message, "let words and address agree; filters take this for phishing", line=each.line)


def disguised_hosts(proof: Proof) -> Iterator[Fault]:
    for each in _on_the_web(proof):
        if why := disguise(host_of(each.url)):
            message = f"the host of {shortened(each.url)} {why}, as forged addresses do"
            yield proof.fault(message, "type the address anew, in one script", line=each.line)


def ran_before(proof: Proof) -> Iterator[Fault]:
    told: set[str] = set()
    for each in _on_the_web(proof):
        page = canonical(each.url)
        if each.is_main and page not in told and (place := proof.earlier.get(page)):
            told.add(page)
            message = f"link “{shortened(each.words)}” has run before, in {place}"
            yield proof.fault(message, "take another, or say why it is worth a second time", line=each.line)


def _on_the_web(proof: Proof) -> Iterator[Reference]:
    yield from (each for each in references(proof) if each.url.startswith("http") and not has_mark(host_of(each.url)))


def _is_same_site(shown: str, host: str) -> bool:
    shown, host = shown.removeprefix("www."), host.removeprefix("www.")
    return shown == host or host.endswith(f".{shown}") or shown.endswith(f".{host}")
