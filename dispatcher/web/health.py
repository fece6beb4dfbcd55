"""Says whether the site is well, and shows its counts to this machine, or to who has a token for it."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dispatcher.storage.api_tokens import Right
from dispatcher.storage.measures import reach
from dispatcher.web.answers import metrics_answer, text_answer
from dispatcher.web.api import require
from dispatcher.web.limits import is_local
from dispatcher.web.metrics import Gauges
from dispatcher.web.site import Site

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


async def health(site: Site, _request: Request) -> Response:
    """200 while the database answers; else 503, by the handler of its failure."""
    await run_in_threadpool(reach, site.database)
    return text_answer(site, "ok")


async def metrics(site: Site, gauges: Gauges, request: Request) -> Response:
    """Counts, none of them about one person. Raises Refused for who is elsewhere and has no token."""
    if not _asks_from_here(request):
        await require(site, request, Right.METRICS)
    return metrics_answer(site, await run_in_threadpool(gauges.text))


def _asks_from_here(request: Request) -> bool:
    """Somebody on this machine itself; a web server on it that passes a stranger's request says so, or names us."""
    if request.client is None or not is_local(request.client.host):
        return False
    if any(name in request.headers for name in _FORWARDED):
        return False
    host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
    return host == "localhost" or is_local(host.strip("[]"))
