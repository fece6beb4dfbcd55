"""Checks the message as a reader's program takes it apart: headers, both parts, and that they say the same."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from urllib.parse import quote

from dispatcher.content.checking.proof import Proof, shortened
from dispatcher.content.personal import has_mark
from dispatcher.errors import Fault

LONGEST_LINE = 998
LEAST_TEXT = 0.2  # of the words that the HTML has

_ADDRESSES = ("Subject", "From", "To", "Reply-To", "List-Id")


def poor_text(proof: Proof) -> Iterator[Fault]:
    spoken, written = _letters(proof.page.body.text_content()), _letters(proof.text)
    if not written:
        yield proof.fault_of_theme("issue.txt", "the text part is empty", "see the default theme's issue.txt")
    elif written < LEAST_TEXT * spoken:
        message = f"the text part has {written:,} letters, the HTML {spoken:,}: readers of text miss the issue"
        yield proof.fault_of_theme("issue.txt", message, "print every story in it")
    else:
        yield from _lost_addresses(proof)


def _lost_addresses(proof: Proof) -> Iterator[Fault]:
    """Addresses that the HTML leads to and the text does not have whole."""
    text = proof.text
    for url in dict.fromkeys(str(each) for each in proof.page.xpath("//a/@href")):
        shown = quote(url, safe="".join(map(chr, range(0x21, 0x7F))))
        if url.startswith("http") and not has_mark(url) and shown not in text:
            message = f"the address {shortened(url)} is not whole in the text part"
            yield proof.fault_of_theme("issue.txt", message, "print it on a line of its own")


def missing_rights(proof: Proof) -> Iterator[Fault]:
    """What law and receivers ask of every newsletter."""
    headers = ("From", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post")
    for name in headers:
        if not proof.message[name]:
            yield proof.fault(f"the message has no {name}", "set `from` and `base_url` in pyproject.toml")
    link = re.search(r"<(https?://[^>\s]+)>", re.sub(r"\s", "", str(proof.message["List-Unsubscribe"] or "")))
    bodies = {"html": "HTML", "plain": "text"}
    for kind, part in bodies.items():
        body = proof.message.get_body((kind,))
        words = str(body.get_content()) if body else ""
        file = "issue.mjml" if kind == "html" else "issue.txt"
        if link and link[1] not in words:
            message = f"the {part} part has no link to unsubscribe"
            yield proof.fault_of_theme(file, message, "print {{ unsubscribe_url }}")
        if proof.postal_address and not _says(words, proof.postal_address):
            message = f"the {part} part does not say the postal address"
            yield proof.fault_of_theme(file, message, "print {{ postal_address }}")


def fragile_message(proof: Proof) -> Iterator[Fault]:
    """What some relay on the way would change or refuse."""
    if any(len(line) > LONGEST_LINE for line in proof.raw.split(b"\r\n")):
        yield proof.fault(f"the message has a line of more than {LONGEST_LINE} bytes", "report this, it is a bug")
    for part in proof.message.walk():
        for defect in part.defects:
            yield proof.fault(
                f"a strict parser finds {type(defect).__name__} in the message", "report this, it is a bug"
            )
    again = message_from_bytes(proof.message.as_bytes(policy=policy.SMTP), policy=policy.default)
    for name in _ADDRESSES:
        if " ".join(str(again[name]).split()) != " ".join(str(proof.message[name]).split()):
            yield proof.fault(f"the header {name} does not survive being folded anew", "write it in plainer words")


def _letters(text: str) -> int:
    return len(re.findall(r"\w", text))


def _says(words: str, said: str) -> bool:
    """Whether the words hold it, whatever stands for its line ends."""
    plain = re.sub(r"<[^>]*>|&[#\w]+;", " ", words)
    return re.findall(r"\w+", said) == [] or "".join(re.findall(r"\w", said)) in "".join(re.findall(r"\w", plain))
