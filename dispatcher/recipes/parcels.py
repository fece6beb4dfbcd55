"""Makes the parcels of a mailing from its frozen editions, reader by reader."""

from datetime import datetime

from dispatcher.content.message.build import Skeleton, build_pieces, make_skeleton
from dispatcher.content.message.merge import Unfilled
from dispatcher.delivery.line import Parcel
from dispatcher.delivery.terms import Build
from dispatcher.models import Delivery, Kind
from dispatcher.recipes.editions import thaw_editions
from dispatcher.recipes.newsletter import Newsletter, copy_for, return_path
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.readers import RESERVED_DOMAIN, is_reserved


def builder(newsletter: Newsletter, mailing: Mailing) -> Build:
    """Raises LedgerFailed for what a newer Dispatcher froze."""
    known = _skeletons(newsletter, mailing)
    mark = "[staging] " if mailing.kind is Kind.STAGING else ""
    leads_out = not newsletter.stays_here

    def build(delivery: Delivery, date: datetime) -> Parcel | str:
        if delivery.edition_id not in known:  # frozen afresh meanwhile
            known.update(_skeletons(newsletter, mailing))
        language, skeleton = known[delivery.edition_id]
        copy = copy_for(newsletter, delivery, number=mailing.issue, language=language, date=date, mark=mark)
        if leads_out and is_reserved(copy.to.rpartition("@")[2]):
            return RESERVED_DOMAIN
        try:
            content = build_pieces(skeleton, copy)
        except ValueError as error:
            return str(error)
        if isinstance(content, Unfilled):
            return content.reason
        return Parcel(
            sender=return_path(newsletter, delivery),
            recipient=copy.to,
            message_id=copy.message_id,
            content=content,
        )

    return build


def _skeletons(newsletter: Newsletter, mailing: Mailing) -> dict[int, tuple[str, Skeleton]]:
    """Language and skeleton of each edition, by its id."""
    editions, languages = thaw_editions(newsletter.database, mailing.id)
    skeletons = {language: make_skeleton(edition) for language, edition in editions.by_language.items()}
    return {edition_id: (language, skeletons[language]) for edition_id, language in languages.items()}
