"""Files of a scenario laid over each other: `extends`, followed with the place of every key."""

import posixpath
from collections.abc import Callable
from typing import Final

from twin.errors import ConfigurationError, Problem
from twin.located_yaml import Places, load_mapping

ReadText = Callable[[str], str]
MAX_EXTENDS: Final = 8


def relative_path(place: str, target: str) -> str:
    """`target` as written in the file `place`, from where `place` itself is named."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(place), target))


def layers(
    path: str, read_text: ReadText, texts: dict[str, str], chain: tuple[str, ...] = ()
) -> tuple[dict[str, object], Places]:
    """The mapping of a file laid over those it extends; places remember which file said what."""
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError([Problem(path, None, "", f"cannot be read: {reason}")]) from None
    data, places = load_mapping(text, path)
    texts[path] = text
    return extended(path, data, places, read_text, texts, chain)


def extended(
    path: str,
    data: dict[str, object],
    places: Places,
    read_text: ReadText,
    texts: dict[str, str],
    chain: tuple[str, ...] = (),
) -> tuple[dict[str, object], Places]:
    """The same for a mapping that has been read; `texts` gets every text that was used."""
    if "extends" not in data:
        return data, places
    target = data.pop("extends")
    where = places[("extends",)]
    if not isinstance(target, str) or not target:
        message = f"must be a file name, got {target!r}"
        raise ConfigurationError([Problem(*where, "extends", message)])
    base = relative_path(path, target)
    seen = (*chain, path)
    if base in seen:
        cycle = " -> ".join((*seen[seen.index(base) :], base))
        raise ConfigurationError([Problem(*where, "extends", f"cycle: {cycle}")])
    if len(seen) >= MAX_EXTENDS:
        message = f"deeper than the {MAX_EXTENDS} files allowed"
        raise ConfigurationError([Problem(*where, "extends", message)])
    below, below_places = layers(base, read_text, texts, seen)
    return _laid_over(data, places, below, below_places)


def _laid_over(
    data: dict[str, object], places: Places, below: dict[str, object], below_places: Places
) -> tuple[dict[str, object], Places]:
    """Top-level keys replace those below; `environment` is merged key by key."""
    merged = {**below, **data}
    kept = {at: where for at, where in below_places.items() if not at or at[0] not in data}
    upper, lower = data.get("environment"), below.get("environment")
    if isinstance(upper, dict) and isinstance(lower, dict):
        merged["environment"] = {**lower, **upper}
        kept |= {at: where for at, where in below_places.items() if at[:1] == ("environment",)}
    return merged, {**kept, **places}
