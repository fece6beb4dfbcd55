"""What somebody may make of a token who has no key: forged, cut, continued, respelt; as hypothesis draws it."""

from base64 import b32decode, b32encode
from collections.abc import Callable

from hypothesis import strategies as st

from tests.long import many

EXAMPLES = many(300, long=100_000)


def bit_turned(raw: bytes, at: int, bit: int) -> bytes:
    place = at % len(raw)
    return raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]


def in_base32(raw: bytes) -> str:
    return b32encode(raw).decode().rstrip("=").lower()


def raw_of(token: str) -> bytes:
    return b32decode(token.upper() + "=" * (-len(token) % 8))


FORGERIES: st.SearchStrategy[Callable[[str], str]] = st.one_of(
    st.builds(lambda at, bit: lambda token: in_base32(bit_turned(raw_of(token), at, bit)),
              st.integers(0, 99), st.integers(0, 7)),
    st.builds(lambda mac: lambda token: in_base32(raw_of(token)[:-16] + mac), st.binary(min_size=16, max_size=16)),
    st.builds(lambda lost: lambda token: in_base32(raw_of(token)[:-lost]), st.integers(1, 30)),
    st.builds(lambda more: lambda token: in_base32(raw_of(token) + more), st.binary(min_size=1, max_size=8)),
    st.builds(lambda kept: lambda token: token[: kept % len(token)], st.integers(0, 99)),
    st.builds(lambda at: lambda token: token[: at % len(token)] + token[at % len(token) :].upper(),
              st.integers(0, 99)),
    st.builds(lambda before, behind: lambda token: before + token + behind,
              st.sampled_from(["", " ", "=", "\n", "a", "\0"]), st.sampled_from(["=", "==", " ", "\n", "a", "7"])),
    st.builds(lambda at, other: lambda token: token[: at % len(token)] + other + token[at % len(token) + 1 :],
              st.integers(0, 99), st.characters()),
)  # fmt: skip
