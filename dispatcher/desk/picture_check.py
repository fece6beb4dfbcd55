"""Checks before a live send that each picture's URL answers with the right bytes."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from dispatcher.errors import Fault
from dispatcher.models import Picture

_SECONDS = 15


def unreachable_pictures(base_url: str, pictures: Iterable[Picture]) -> list[Fault]:
    """A fault for each picture that readers would not see."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        found = pool.map(lambda picture: _fault(f"{base_url}/pictures/{picture.name}", picture), pictures)
        return [fault for fault in found if fault is not None]


def _fault(url: str, picture: Picture) -> Fault | None:
    remedy = 'start `dispatcher serve` behind base_url, or set pictures = "inline"'
    if not url.startswith(("http://", "https://")):
        return Fault(path=url, message="no http or https URL", remedy="set base_url")
    from urllib.request import Request, urlopen  # noqa: PLC0415  10 ms, and most runs of the command fetch none

    try:
        request = Request(url, headers={"User-Agent": "Dispatcher"})  # noqa: S310  the scheme is checked above
        with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            content = answer.read(len(picture.content) + 1)
    except (OSError, ValueError) as error:
        return Fault(path=url, message=f"the picture does not answer: {error}", remedy=remedy)
    if content != picture.content:
        return Fault(path=url, message="the URL answers with another picture", remedy=remedy)
    return None
