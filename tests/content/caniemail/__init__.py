"""Where the reduced data of caniemail stands, and the programs that it is about."""

from importlib import resources
from pathlib import Path

FILE = Path(str(resources.files("dispatcher.content.checking"))) / "support.json"
PROGRAMS = {
    "Gmail": ("gmail", ("desktop-webmail", "ios", "android")),
    "Outlook": ("outlook", ("windows",)),
    "Apple Mail": ("apple-mail", ("macos", "ios")),
    "Yahoo": ("yahoo", ("desktop-webmail", "ios", "android")),
}
