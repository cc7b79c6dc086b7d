"""Links to files of the repository: where the site is read there may be no repository, so they become their paths."""

import re
from typing import Any

_OUTSIDE = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])+)\]\((?:\.\./)+([^)#\s]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return a page's text with `[text](../file)` as `text (file)`."""
    return _OUTSIDE.sub(r"\1 (`\2`)", markdown)
