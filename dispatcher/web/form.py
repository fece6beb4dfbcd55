"""Reads the fields that a browser or a mail provider posts, as far as they can be read."""

import asyncio
from collections.abc import AsyncGenerator
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

LARGEST = 8 * 1024  # bytes
_READ_ALONG = 1024 * 1024  # bytes of a body too large that are read all the same, so that its sender hears why
_MOST_FIELDS = 20
SECONDS = 10.0  # for all of a body, so that slow clients neither pile up nor keep the site from stopping


async def form_fields(request: Request, *, seconds: float = SECONDS) -> dict[str, str]:
    """The fields by name; none for a body that makes no sense. RFC 8058 allows both kinds of form.

    Raises HTTPException: 413 for more than 8 kB, however it is sent, 408 when it does not arrive in time.
    """
    body = await read_body(request, seconds=seconds)
    if request.headers.get("content-type", "").lstrip().lower().startswith("multipart/form-data"):
        return await _multipart(request, body)
    # A sloppy client may name no type at all, or a wrong one; what it says is clear enough.
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}


async def read_body(request: Request, *, seconds: float = SECONDS, largest: int = LARGEST) -> bytes:
    """All of the body. Raises HTTPException as `form_fields` does."""
    try:
        async with asyncio.timeout(seconds):
            return await _body(request, largest)
    except TimeoutError as error:
        raise HTTPException(408) from error


async def _body(request: Request, largest: int) -> bytes:
    body, read = bytearray(), 0
    async for chunk in request.stream():
        read += len(chunk)
        if read <= largest:
            body += chunk
        elif read > _READ_ALONG:
            break
    if read > largest:
        raise HTTPException(413)
    return bytes(body)


async def _multipart(request: Request, body: bytes) -> dict[str, str]:
    async def once() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(request.headers, once(), max_files=0, max_fields=_MOST_FIELDS).parse()
    except (MultiPartException, ValueError):
        return {}
    return {name: value for name, value in form.items() if isinstance(value, str)}
