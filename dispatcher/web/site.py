"""What the readers' pages are made from: values and functions that `dispatcher serve` passes in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from dispatcher.storage.database import Database
from dispatcher.storage.dossiers import Dossier
from dispatcher.tokens import Keyring
from dispatcher.web.limits import Limits
from dispatcher.web.wording import Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """An address as a visitor wrote it, brought to one spelling."""

    email: str
    key: str
    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueLine:
    """An issue in the archive."""

    number: int
    title: str
    sent_on: date
    language: str
    corrected: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A newsletter as its readers' pages know it; the functions may block, and are called in threads."""

    database: Database
    keyring: Keyring
    newsletter: str
    wording: Wording
    postal_address: str
    base_url: str  # where readers reach the pages, without a slash at its end
    list_name: str  # who signs up without a choice joins this one
    open_lists: Sequence[str]  # that anybody may join
    issue_page: Callable[[int, str], str | None]  # number, language → HTML without personal data
    public_issue_page: Callable[[int, str], str | None]  # the same, None until the issue has gone out live
    issues: Callable[[], Sequence[IssueLine]]  # that have gone out live, newest first, one for each language
    feed: Callable[[], str | None]  # of them, as Atom; None until one has gone out
    sitemap: Callable[[], str]
    find_picture: Callable[[str], tuple[str, bytes] | None]  # name → media type and content
    read_mailbox: Callable[[str], Mailbox]  # raises ValueError
    own_data: Callable[[Dossier], str]  # everything kept about a person, as JSON
    wake_letters: Callable[[], None]  # a small mail waits
    take_hook: Callable[[str, Mapping[str, str], bytes], int]  # provider, headers, body → HTTP status
    limits: Limits

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https://")
