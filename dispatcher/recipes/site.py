"""Makes the readers' pages out of a newsletter: its issues, pictures, words and what is kept about a person."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

from dispatcher.audience.address import read_address
from dispatcher.audience.language import best_match
from dispatcher.audience.people import everything_about
from dispatcher.content.message.build import make_skeleton, merged_html, neutral_reader
from dispatcher.content.message.frozen import picture_names, thaw_edition
from dispatcher.content.message.merge import Unfilled
from dispatcher.desk.archive_site import Entry, atom_feed, sitemap
from dispatcher.desk.person import as_plain
from dispatcher.models import Kind
from dispatcher.recipes.draft_pictures import draft_pictures
from dispatcher.recipes.hooks import fetch_over_https, take_hook
from dispatcher.recipes.letters import wording_of
from dispatcher.recipes.newsletter import Newsletter, base_url, letterhead
from dispatcher.recipes.public_archive import open_archive
from dispatcher.storage.database import Database
from dispatcher.storage.dossiers import Dossier
from dispatcher.storage.mailings import FrozenEdition, Mailing, editions_of, find_mailing, find_picture
from dispatcher.tokens import SAMPLE, ViewToken, sign_view
from dispatcher.web.limits import Limits
from dispatcher.web.site import IssueLine, Mailbox, Site

_ISSUES_KEPT = 32


def site_of(newsletter: Newsletter, *, wake_letters: Callable[[], None] = lambda: None) -> Site:
    """What the pages of this newsletter are made from."""
    settings, database = newsletter.settings, newsletter.database
    pages_of = _page_drawer(newsletter)
    archive = open_archive(newsletter)
    find_draft_picture = draft_pictures(settings.folder)

    def issue_page(number: int, language: str) -> str | None:
        mailing = _shown_mailing(database, number)
        pages = {} if mailing is None else pages_of(mailing.id)
        if not pages:
            return None
        best = best_match(language, list(pages), next(iter(pages)))
        return archive.page(number, best) or pages[best]

    def issues() -> Sequence[IssueLine]:
        return [_line(each) for each in archive.entries()]

    def feed() -> str | None:
        entries = archive.entries()
        return atom_feed(entries, archive.shelf) if entries else None

    def any_picture(name: str) -> tuple[str, bytes] | None:
        return find_picture(database, name) or find_draft_picture(name)

    return Site(
        database=database,
        keyring=newsletter.keyring,
        newsletter=letterhead(settings).newsletter,
        wording=wording_of(newsletter),
        postal_address=settings.postal_address,
        base_url=base_url(settings),
        list_name=settings.list,
        open_lists=settings.open_lists or (settings.list,),
        issue_page=issue_page,
        public_issue_page=archive.page,
        issues=issues,
        feed=feed,
        sitemap=lambda: sitemap(archive.entries(), archive.shelf),
        find_picture=any_picture,
        read_mailbox=read_mailbox,
        own_data=lambda person: own_data(newsletter, person),
        wake_letters=wake_letters,
        take_hook=partial(take_hook, newsletter, fetch=fetch_over_https),
        limits=Limits(),
    )


def _line(entry: Entry) -> IssueLine:
    return IssueLine(
        number=entry.number,
        title=entry.title,
        sent_on=entry.day or entry.updated.date(),
        language=entry.language,
        corrected=entry.corrected,
    )


def read_mailbox(text: str) -> Mailbox:
    """An address that a visitor wrote. Raises ValueError."""
    address = read_address(text)
    return Mailbox(email=address.email, key=address.key, domain=address.domain)


def own_data(newsletter: Newsletter, person: Dossier) -> str:
    """Everything kept about a person, for himself."""
    known = everything_about(newsletter.database, newsletter.keyring, person.email)
    plain = as_plain(known.address, person, known.suppression, known.requests)
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def _shown_mailing(database: Database, number: int) -> Mailing | None:
    """The live mailing; while there is none, the newest trial."""
    if (live := find_mailing(database, number, Kind.LIVE)) is not None:
        return live
    trials = [find_mailing(database, number, kind) for kind in (Kind.MAILDIR, Kind.STAGING)]
    return max((trial for trial in trials if trial is not None), key=lambda trial: trial.id, default=None)


def _page_drawer(newsletter: Newsletter) -> Callable[[int], Mapping[str, str]]:
    """A function of a mailing's id that gives its pages by language, and remembers those of some issues."""

    @lru_cache(maxsize=_ISSUES_KEPT)  # a mailing's editions are frozen
    def pages_of(mailing_id: int) -> Mapping[str, str]:
        editions = editions_of(newsletter.database, mailing_id).values()
        drawn = {each.language: _page(newsletter, each) for each in editions}
        return {language: html for language, html in drawn.items() if html is not None}

    return pages_of


def _page(newsletter: Newsletter, frozen: FrozenEdition) -> str | None:
    names = picture_names(frozen.frozen)
    edition = thaw_edition(frozen.frozen, dict.fromkeys(names, b""))  # a page names its pictures, it carries none
    skeleton = make_skeleton(edition)
    base = base_url(newsletter.settings)
    view = sign_view(newsletter.keyring, ViewToken(number=edition.number, language=edition.language))
    html = merged_html(
        skeleton,
        neutral_reader(skeleton, edition.language),
        unsubscribe_url=f"{base}/u/{SAMPLE}",
        view_url=f"{base}/v/{view}",
    )
    if isinstance(html, Unfilled):
        return None
    for name in names:  # inline pictures travel with a message, but not with a page
        html = html.replace(f"cid:{name}", f"{base}/pictures/{name}")
    return html
