"""Says whether the site is well, and counts for Prometheus; to this machine, or to who has a token for it."""

from collections.abc import Iterator, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dispatcher.storage.api_tokens import Right
from dispatcher.storage.letters import count_letters
from dispatcher.storage.reports import summaries
from dispatcher.storage.statistics import standings
from dispatcher.storage.suppressions import count_suppressions
from dispatcher.web.answers import metrics_answer, text_answer
from dispatcher.web.api import require
from dispatcher.web.limits import is_local
from dispatcher.web.site import Site

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


async def health(site: Site, _request: Request) -> Response:
    """200 while the database answers; else 503, by the handler of its failure."""
    await run_in_threadpool(standings, site.database)
    return text_answer(site, "ok")


async def metrics(site: Site, request: Request) -> Response:
    """Counts, none of them about one person. Raises Refused for who is elsewhere and has no token."""
    if not _asks_from_here(request):
        await require(site, request, Right.METRICS)
    return metrics_answer(site, await run_in_threadpool(_metrics, site))


def _asks_from_here(request: Request) -> bool:
    """Somebody on this machine itself; a web server on it that passes a stranger's request says so, or names us."""
    if request.client is None or not is_local(request.client.host):
        return False
    if any(name in request.headers for name in _FORWARDED):
        return False
    host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
    return host == "localhost" or is_local(host.strip("[]"))


def _metrics(site: Site) -> str:
    lines = [
        *_gauge(
            "dispatcher_readers",
            "People by list and standing.",
            {
                f'list="{_label(name)}",standing="{standing}"': people
                for name, states in standings(site.database).items()
                for standing, people in states.items()
            },
        ),
        *_gauge(
            "dispatcher_suppressions",
            "Addresses kept from all lists, by cause.",
            {f'cause="{cause}"': count for cause, count in count_suppressions(site.database).items()},
        ),
        *_gauge(
            "dispatcher_letters",
            "Small mails by state.",
            {f'state="{state}"': count for state, count in count_letters(site.database).items()},
        ),
        *_gauge(
            "dispatcher_deliveries",
            "Deliveries of the newest issues by state.",
            {
                f'issue="{each.issue}",kind="{each.kind.value}",state="{state.value}"': rows
                for each in summaries(site.database)[-10:]
                for state, rows in each.counts.items()
            },
        ),
    ]
    return "\n".join(lines) + "\n"


def _gauge(name: str, about: str, values: Mapping[str, int]) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} gauge"
    for labels, value in values.items():
        yield f"{name}{{{labels}}} {value}"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
