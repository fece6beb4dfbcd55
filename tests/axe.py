"""What axe-core, which knows who cannot use a page, objects to."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def objections(page: Page, **options: object) -> list[dict[str, Any]]:
    """Each rule that the page breaks, with where; what it keeps is not reported, which costs most of the time."""
    violations: list[dict[str, Any]] = (
        Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    )
    return violations
