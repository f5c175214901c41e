"""The kernel's switch is changed only where that is wanted and allowed, and always put back."""

from pathlib import Path

import pytest

from services.huge_pages import chosen, huge_pages

MADVISE = "always [madvise] never\n"


@pytest.fixture
def switch(tmp_path: Path) -> Path:
    path = tmp_path / "enabled"
    path.write_text(MADVISE)
    return path


def test_it_is_read_as_the_kernel_writes_it(switch: Path, tmp_path: Path) -> None:
    assert chosen(switch) == "madvise"
    assert chosen(tmp_path / "none") is None


def test_it_is_put_back_whatever_happens(switch: Path) -> None:
    said: list[str] = []
    with pytest.raises(RuntimeError), huge_pages(True, said.append, switch):
        assert switch.read_text() == "always"
        raise RuntimeError
    assert switch.read_text() == "madvise"
    assert said == ["transparent huge pages: always for this run (madvise before it and after)"]


@pytest.mark.parametrize(
    ("wanted", "text"), [(False, MADVISE), (True, "[always] madvise never\n"), (True, "")]
)
def test_it_stays_where_nothing_is_to_be_changed(switch: Path, wanted: bool, text: str) -> None:
    switch.write_text(text)
    with huge_pages(wanted, lambda _text: None, switch):
        assert switch.read_text() == text
    assert switch.read_text() == text


def test_who_may_not_change_it_is_told_and_goes_on(
    switch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_path: Path, _text: str) -> int:
        raise PermissionError(13, "Permission denied")

    said: list[str] = []
    monkeypatch.setattr(Path, "write_text", refused)  # root may write wherever a test can point
    with huge_pages(True, said.append, switch):
        assert chosen(switch) == "madvise"
    assert said[0].endswith("enabled: Permission denied")
