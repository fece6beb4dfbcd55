"""Knows what an address says beside where it leads: whether it is private, a shortener's, spied on, or in disguise."""

import unicodedata
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

SHORTENERS = frozenset(
    "bit.ly buff.ly cutt.ly dlvr.it fb.me goo.gl is.gd lnkd.in ow.ly rb.gy rebrand.ly shorturl.at t.co t.cn t.ly"
    " tiny.cc tinyurl.com url.cn dwz.cn wp.me".split()
)
_TRACKERS = frozenset(
    "fbclid gclid dclid gbraid wbraid msclkid yclid twclid igshid mc_cid mc_eid mkt_tok oly_anon_id oly_enc_id"
    " vero_id _hsenc _hsmi ref_src spm".split()
)
_MEDIUM = ("collection_", "post_page", "rss", "user_profile", "friends_link")


def canonical(url: str) -> str:
    """One spelling for addresses that lead to the same page: no scheme, www, tracker, fragment or closing slash."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    kept = sorted((name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True)
                  if not _is_tracker(name, value))  # fmt: skip
    return urlunsplit(("", host, parts.path.rstrip("/"), urlencode(kept), "")).removeprefix("//")


def trackers(url: str) -> list[str]:
    """The names of the parameters that tell somebody who clicked."""
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return list(dict.fromkeys(name for name, value in pairs if _is_tracker(name, value)))


def _is_tracker(name: str, value: str) -> bool:
    is_mediums = name == "source" and value.startswith(_MEDIUM)
    return name.lower().startswith("utm_") or name.lower() in _TRACKERS or is_mediums


def host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def is_private(host: str) -> bool:
    """Whether only this machine or its network can know the host."""
    try:
        return not ip_address(host.strip("[]")).is_global
    except ValueError:
        names = (".local", ".localhost", ".internal", ".lan", ".home.arpa", ".test", ".invalid")
        return host == "localhost" or host.endswith(names) or ("." not in host and bool(host))


def disguise(host: str) -> str:
    """Why a host may not be what it looks like, in words; empty if it is plain."""
    shown = _decoded(host)
    for label in shown.split("."):
        scripts = {_script(character) for character in label if character.isalpha()}
        if len(scripts) > 1 and not scripts <= {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "LATIN", "BOPOMOFO"}:
            return f"mixes {' and '.join(sorted(script.title() for script in scripts))} letters"
    return ""


def _decoded(host: str) -> str:
    try:
        return host.encode("ascii").decode("idna")
    except UnicodeError:
        return host


def _script(character: str) -> str:
    return unicodedata.name(character, "UNKNOWN").partition(" ")[0]
