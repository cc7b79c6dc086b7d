"""Pictures of the page in the documentation: made by tests, and compared by them with what the page is now."""

import os

from page_server import STATIC
from PIL import Image, ImageChops, ImageStat

_FOLDER = STATIC.parents[1] / "docs" / "images"


def compare_picture(now: Image.Image, name: str) -> None:
    """Check that the picture `name` still shows the page; VOLTAIR_WRITE_PICTURES=1 writes it anew."""
    if os.environ.get("VOLTAIR_WRITE_PICTURES"):
        now.quantize(128).save(_FOLDER / name, optimize=True)
    shown = Image.open(_FOLDER / name).convert("RGB")
    assert shown.size == now.size
    # Browsers and fonts change a little from release to release; a changed page changes more.
    difference = ImageStat.Stat(ImageChops.difference(shown, now)).mean
    assert max(difference) < 4, "the page has changed; run this test with VOLTAIR_WRITE_PICTURES=1"
