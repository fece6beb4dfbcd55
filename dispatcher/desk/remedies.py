"""Tells in words what an operator can do about mail that receivers refuse, by cause and by receiver."""

_RECEIVERS = {
    "Gmail": ("gmail.com", "googlemail.com"),
    "Outlook": ("outlook.com", "hotmail.com", "live.com", "msn.com"),
    "Yahoo": ("yahoo.com", "ymail.com", "aol.com", "yahoo.co.jp"),
    "Apple": ("icloud.com", "me.com", "mac.com"),
    "QQ Mail": ("qq.com", "foxmail.com"),
    "NetEase": ("163.com", "126.com", "yeah.net"),
}
_BY_CODE = {
    "5.7.26": "SPF or DKIM must pass, and agree with From",
    "5.7.515": "SPF and DKIM must both pass",
    "5.7.606": "the sending address is banned; ask at sender.office.com to have it removed",
    "5.7.25": "the sending address needs a reverse name (PTR)",
}
_BY_CAUSE = {
    "authentication": "SPF, DKIM and DMARC must pass: dispatcher doctor",
    "reputation": "the sending address or domain is on a list, or has no reverse name: dispatcher doctor",
    "rate": "send more slowly: per_second of the relay",
    "spam": "the content looks like spam to them: send to fewer, more willing readers; look at links and pictures",
    "virus": "remove the attachment or link that they name",
    "content": "remove what they name from the issue",
    "too large": 'make the issue smaller: pictures = "hosted"',
    "relaying": "the relay may not send for this domain; correct relay or its login",
    "protocol": "the relay and the receiver disagree; ask who runs the relay",
    "TLS": "the receiver insists on TLS; ask who runs the relay",
    "sender address": "the return path or From is refused: dispatcher doctor",
    "policy": "they refuse by a rule of their own; ask their postmaster",
    "unknown user": "suspended; nothing to do",
    "unknown host": "suspended; nothing to do",
    "moved": "suspended; nothing to do",
    "takes no mail": "suspended; nothing to do",
    "mailbox full": "counted; nothing to do",
    "mailbox disabled": "counted; nothing to do",
    "abuse": "suppressed; make leaving easier to find",
}


def receiver_of(domain: str) -> str:
    """Who receives for a domain, as people call it."""
    return next((name for name, domains in _RECEIVERS.items() if domain in domains), domain)


def remedy_for(cause: str, status: str | None) -> str:
    """What to do; empty where nothing is known."""
    return _BY_CODE.get(status or "") or _BY_CAUSE.get(cause, "")


def sentence(domain: str, kind: str, cause: str, status: str | None, said: str) -> str:
    """`Outlook refuses: SPF and DKIM must both pass: 550 5.7.515 …`."""
    verb = {"complaint": "passes on a complaint", "refusal": "refuses", "bounce": "refuses"}[kind]
    return ": ".join(filter(None, (f"{receiver_of(domain)} {verb}", remedy_for(cause, status) or cause, said[:120])))
