"""Describes the JSON interface as an OpenAPI 3.1 document."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

_EMAIL = {"type": "string", "description": "A mail address."}
_THINGS = {"type": "array", "items": {"type": "object"}}
_REFUSALS = {
    "400": "The body is not JSON.",
    "401": "No token, or one that is not known.",
    "403": "The token has no right to this.",
    "408": "The body did not arrive in time.",
    "413": "The body is larger than 8 kB.",
    "422": "A field is missing, unknown or not valid.",
    "429": "Too many requests; try again in a minute.",
    "503": "The database cannot answer; try again later.",
}


def document(base_url: str, newsletter: str) -> dict[str, object]:
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{newsletter}: readers", "version": "1", "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": base_url}],
        "security": [{"token": []}],
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Made by `dispatcher token create`."}
            },
            "schemas": {
                "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
            },
        },
        "paths": {
            "/api/v1/signups": {
                "post": _operation(
                    "signUp",
                    "Ask for an address to be put on a list; its owner is mailed a link and has to confirm.",
                    right="subscribe",
                    required=["email"],
                    properties={
                        "email": _EMAIL,
                        "list": {"type": "string"},
                        "language": {"type": "string"},
                        "name": {"type": "string", "maxLength": 200},
                    },
                    good=("202", {"status": {"type": "string"}}),
                )
            },
            "/api/v1/unsubscribes": {
                "post": _operation(
                    "unsubscribe",
                    "Take an address off one list, or off all.",
                    right="unsubscribe",
                    required=["email"],
                    properties={"email": _EMAIL, "list": {"type": "string"}},
                    good=("200", {"left": {"type": "array", "items": {"type": "string"}}}),
                )
            },
            "/api/v1/subscribers/show": {
                "post": _operation(
                    "show",
                    "Everything known about one address.",
                    right="show",
                    required=["email"],
                    properties={"email": _EMAIL},
                    good=(
                        "200",
                        {
                            "email": {"type": "string"},
                            "needs_smtputf8": {"type": "boolean"},
                            "name": {"type": ["string", "null"]},
                            "language": {"type": ["string", "null"]},
                            "attributes": {"type": "object"},
                            "lists": _THINGS,
                            "history": _THINGS,
                            "issues": _THINGS,
                            "came_back": _THINGS,
                            "links_mailed": _THINGS,
                        },
                    ),
                    also={"404": "Nobody has this address."},
                )
            },
        },
    }


def _operation(
    name: str,
    summary: str,
    *,
    right: str,
    required: Sequence[str],
    properties: Mapping[str, object],
    good: tuple[str, Mapping[str, object]],
    also: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, object]:
    status, answer = good
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    body = {"type": "object", "required": list(required), "properties": dict(properties), "additionalProperties": False}
    good_content = {"application/json": {"schema": {"type": "object", "properties": dict(answer)}}}
    return {
        "operationId": name,
        "summary": summary,
        "description": f"Needs a token with the right `{right}`.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            status: {"description": "Done.", "content": good_content},
            **{code: {"description": words, "content": error} for code, words in sorted({**_REFUSALS, **also}.items())},
        },
    }
