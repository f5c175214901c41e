"""YAML to plain data that remembers the line of every key, so that errors can point at it.

A safe subset: no aliases or anchors (no expansion bombs), no duplicate keys, no tags, bounded
nesting, dates stay text. `1e-3` is a number here, as people expect, not the text of YAML 1.1.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from twin.errors import ConfigurationError, Problem

MAX_YAML_BYTES: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 24
_RANGE_ERRORS: Final = (
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "finite_number",
)

Location = tuple[str | int, ...]
Places = dict[Location, tuple[str, int]]
"""File and line of every key and list item, by its path from the root."""


@dataclass(frozen=True)
class Vocabulary:
    """What may be written: valid keys below each key ("" is the root), and the range of each
    key, as `parent.key` where keys of one name differ, else as `key`."""

    names: Mapping[str, list[str]] = field(default_factory=dict)
    ranges: Mapping[str, str] = field(default_factory=dict)


_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_TEXT_TAGS: Final = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:str")
_PLAIN_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp")
)


def load_mapping(text: str, file: str) -> tuple[dict[str, object], Places]:
    """A mapping and the place of each of its keys. Raises ConfigurationError, located."""
    if len(text.encode()) > MAX_YAML_BYTES:
        limit = MAX_YAML_BYTES // 1024
        _fail(file, None, f"{len(text.encode()) // 1024} KiB long, allowed at most {limit} KiB")
    try:
        _refuse_unsafe(text, file)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _fail(file, _line(mark), f"not YAML: {error.problem or error.context}")
    except yaml.YAMLError as error:
        _fail(file, None, f"not YAML: {str(error).splitlines()[0]}")
    if not isinstance(root, yaml.MappingNode):
        line = root.start_mark.line + 1 if root is not None else 1
        _fail(file, line, "must be a mapping of keys to values at the top")
    places: Places = {(): (file, 1)}
    problems: list[Problem] = []
    data = _plain(root, (), file, places, problems)
    if problems:
        raise ConfigurationError(problems)
    assert isinstance(data, dict)
    return data, places


def problems_of(error: ValidationError, places: Places, words: Vocabulary) -> list[Problem]:
    """One Problem per pydantic error: place, key path, value, what is allowed."""
    return [_problem_of(detail, places, words) for detail in error.errors(include_url=False)]


def place_of(location: Location, places: Places) -> tuple[str, int]:
    """File and line of a location, or of its nearest known parent."""
    while location not in places:
        location = location[:-1]
    return places[location]


def dotted(location: Location) -> str:
    """fleet.0.elements.file"""
    return ".".join(str(part) for part in location)


def nearest(word: object, valid: list[str]) -> str:
    """A hint such as `did you mean 'seed'?`, else the list of what is allowed."""
    close = difflib.get_close_matches(str(word), valid, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(sorted(valid))}"


def _fail(file: str, line: int | None, message: str) -> NoReturn:
    raise ConfigurationError([Problem(file, line, "", message)])


def _line(mark: Any) -> int | None:
    return None if mark is None else mark.line + 1


def _refuse_unsafe(text: str, file: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            _fail(file, _line(event.start_mark), "YAML anchors and aliases are not allowed")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            message = f"nested deeper than the {MAX_DEPTH} levels allowed"
            _fail(file, _line(event.start_mark), message)


def _plain(
    node: yaml.Node, location: Location, file: str, places: Places, problems: list[Problem]
) -> object:
    if isinstance(node, yaml.MappingNode):
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            here = (*location, key)
            if not isinstance(key_node, yaml.ScalarNode):
                problems.append(Problem(file, line, dotted(location), "a key must be plain text"))
                continue
            if key in found:
                before = places[here][1]
                message = f"key appears twice, first at line {before}"
                problems.append(Problem(file, line, dotted(here), message))
                continue
            places[here] = (file, line)
            found[key] = _plain(value_node, here, file, places, problems)
        return found
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            places[*location, index] = (file, item.start_mark.line + 1)
            items.append(_plain(item, (*location, index), file, places, problems))
        return items
    return _scalar(node, location, file, problems)


def _scalar(node: yaml.Node, location: Location, file: str, problems: list[Problem]) -> object:
    if node.tag not in _PLAIN_TAGS:
        message = f"YAML tag {node.tag} is not allowed"
        problems.append(Problem(file, node.start_mark.line + 1, dotted(location), message))
        return None
    if node.tag in _TEXT_TAGS:
        plain_style = not getattr(node, "style", None)  # None in Python's parser, "" in libyaml's
        if plain_style and _NUMBER.fullmatch(node.value):
            return float(node.value)
        return str(node.value)
    if ":" in node.value:  # 12:30 is a time, not the base-60 number of YAML 1.1
        return str(node.value)
    return yaml.constructor.SafeConstructor().construct_object(node)


def _problem_of(detail: ErrorDetails, places: Places, words: Vocabulary) -> Problem:
    location = detail["loc"]
    file, line = place_of(location, places)
    keys = [part for part in location if isinstance(part, str)]
    shown = _shown(detail["input"])
    last = keys[-1] if keys else ""
    allowed = words.ranges.get(f"{_parent(keys)}.{last}", words.ranges.get(last, ""))
    if detail["type"] == "extra_forbidden":
        message = f"unknown key; {nearest(keys[-1], words.names.get(_parent(keys), []))}"
    elif detail["type"] == "missing":
        message = "this key is required"
    elif detail["type"] == "value_error":
        message = str(detail.get("ctx", {}).get("error", detail["msg"]))
    elif detail["type"] in _RANGE_ERRORS and allowed:
        message = f"{shown} is out of range; allowed {allowed}"
    else:
        rule = detail["msg"].replace("Input should", "must", 1).replace(" should ", " must ", 1)
        message = f"{rule}, got {shown}" + (f"; allowed {allowed}" if allowed else "")
    return Problem(file, line, dotted(location), message)


def _parent(keys: list[str]) -> str:
    return keys[-2] if len(keys) > 1 else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
