"""Connects to a relay: aiosmtplib opens, secures and logs in, then the connection is ours to converse on."""

import asyncio
import re
import socket
import ssl
from dataclasses import dataclass
from typing import cast

import aiosmtplib

from dispatcher.delivery.relay import Security, SmtpRelay
from dispatcher.delivery.replies import Manners
from dispatcher.delivery.smtp import Conversation

CONNECT = 30.0  # seconds for everything before the first message


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why there is no connection; a lasting one stops the run, another is worth a later attempt."""

    reason: str
    is_lasting: bool


async def connect(relay: SmtpRelay, manners: Manners) -> Conversation | Refusal:
    """Opens a connection that is ready for messages."""
    client = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        use_tls=relay.security is Security.TLS,
        start_tls=False,
        timeout=CONNECT,
        local_hostname=_own_name(),
    )
    try:
        async with asyncio.timeout(CONNECT):
            await client.connect()
            await client.ehlo()
            if relay.security is Security.STARTTLS:
                if not client.supports_extension("starttls"):
                    client.close()
                    return Refusal(reason="the relay offers no STARTTLS; nothing is sent in plaintext", is_lasting=True)
                await client.starttls()
                await client.ehlo()
            if relay.user and relay.password:
                await client.login(relay.user, relay.password)
                await client.ehlo()
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
        client.close()
        return _refusal(error)
    if client.transport is None:
        return Refusal(reason="the connection closed at once", is_lasting=False)
    # STARTTLS made a new transport, and this is it.
    return Conversation(cast("asyncio.Transport", client.transport), client.esmtp_extensions, manners)


def _refusal(error: Exception) -> Refusal:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        # The reply is not shown: some servers echo what they were given.
        return Refusal(reason=f"the relay does not accept the login ({error.code})", is_lasting=error.code >= 500)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        text = " ".join(str(error.message).split())
        return Refusal(reason=f"the relay says {error.code} {text}", is_lasting=error.code >= 500)
    if certificate := _cause(error, ssl.SSLError):
        return Refusal(reason=f"TLS failed: {certificate}", is_lasting=True)
    lasting = isinstance(error, aiosmtplib.SMTPException | ValueError) and not isinstance(error, OSError)
    return Refusal(reason=" ".join(str(error).split()) or "no answer in time", is_lasting=lasting)


def _cause(error: BaseException | None, kind: type[Exception]) -> BaseException | None:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _own_name() -> str:
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9.-]+", name) else "localhost"
