"""What the readers' pages are made from: values and functions that `dispatcher serve` passes in."""

from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.storage.database import Database
from dispatcher.tokens import Keyring


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A newsletter as its readers' pages know it; the functions may block, and are called in threads."""

    database: Database
    keyring: Keyring
    newsletter: str
    language: str  # for whoever asks for none that we have
    postal_address: str
    base_url: str  # where readers reach the pages, without a slash at its end
    issue_page: Callable[[int, str], str | None]  # number, language → HTML without personal data
    public_issue_page: Callable[[int, str], str | None]  # the same, None until the issue has gone out live
    find_picture: Callable[[str], tuple[str, bytes] | None]  # name → media type and content

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https://")
