"""Takes what mail providers post about bounces and complaints; who is not verified is told so and changes nothing."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dispatcher.web.answers import text_answer
from dispatcher.web.form import read_body
from dispatcher.web.site import Site

_LARGEST = 256 * 1024  # bytes
_SAID = {200: "ok", 400: "Bad Request", 403: "Forbidden", 404: "Not Found"}


async def take(site: Site, request: Request) -> Response:
    body = await read_body(request, largest=_LARGEST)
    headers = {name.lower(): value for name, value in request.headers.items()}
    status = await run_in_threadpool(site.take_hook, request.path_params["provider"], headers, body)
    return text_answer(site, _SAID[status], status=status)
