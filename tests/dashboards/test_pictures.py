"""docs/dashboards.md has a picture of every dashboard, and the repository stays small."""

from deployment import ROOT
from PIL import Image

from dashboards.build import dashboards
from dashboards.dashboard_docs import dashboards_page

FOLDER = ROOT / "docs" / "images" / "dashboards"
TOTAL_LIMIT_BYTES = 2_000_000


def test_every_dashboard_has_a_picture_that_shows_something() -> None:
    page = dashboards_page()
    for board in dashboards():
        path = FOLDER / f"{board.uid}.png"
        assert f"(images/dashboards/{path.name})" in page
        with Image.open(path) as picture:
            assert picture.width >= 1000
            colours = picture.convert("RGB").getcolors(100_000)
        assert colours is not None and len(colours) > 40
    names = {path.stem for path in FOLDER.iterdir()}
    assert names == {board.uid for board in dashboards()}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < TOTAL_LIMIT_BYTES
