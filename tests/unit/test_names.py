"""The rules of names and purity, read off the source of twin/ (no module is imported)."""

import ast
import re
from pathlib import Path

import pytest

from dashboards.equations_docs import unit_of

TWIN = Path(__file__).parents[2] / "twin"
MODULES = sorted(TWIN.rglob("*.py"))
LINES_LIMIT = 320

# Numbers without a unit: shares and shapes that physics itself writes without one, and keys.
DIMENSIONLESS = re.compile(
    r"(^|_)(cosine|cos|sine|sin|sin2|seed|mask|share|factor|gain|level|levels|number|turns|ratio"
    r"|keys?|row|rows|mode|kind|code|codes|part|parts|phase|centuries|tau|julian_whole"
    r"|julian_fraction|days|mcilwain|inverse_l|stress|life_used|weight|count|counts|depth|tick"
    r"|ticks|seq|values?|value|draw|slope|planes|per_plane|phasing|i|j|x|y|z|epoch|field_epoch"
    r"|motion|ecc|accelerators|owner|events|target|outcome|alive|lost|able|contact|group|graph"
    r"|topology|cluster|shells|slot|shape|index|year|years|slots|turn|known|at|flux|floats|members|severities|percent|low|high|now)($|_)"
)
NUMBER = re.compile(r"(FloatArray|float)\b")


def functions() -> list[tuple[str, ast.FunctionDef]]:
    found = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                found.append((str(path.relative_to(TWIN)), node))
    return found


def calls(tree: ast.AST) -> list[str]:
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_numbers_of_public_functions_carry_their_unit() -> None:
    bare = []
    for module, node in functions():
        for argument in [*node.args.args, *node.args.kwonlyargs]:
            kind = ast.unparse(argument.annotation) if argument.annotation else ""
            if not NUMBER.search(kind) or re.search(r"Callable|dict|Mapping|object", kind):
                continue
            if not unit_of(argument.arg) and not DIMENSIONLESS.search(argument.arg):
                bare.append(f"{module}: {node.name}({argument.arg})")
    assert not bare, "\n".join(bare)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_twin_is_pure_and_its_modules_are_short(path: Path) -> None:
    text = path.read_text("utf-8")
    impure = (
        r"^(open|print|input|time\.\w+|datetime\.(now|utcnow|today)|date\.today|random\.\w+"
        + (r"|np\.random\.\w+|os\.\w+|.*\.(write_text|write_bytes|read_text|read_bytes))$")
    )
    tree = ast.parse(text)
    found = [call for call in calls(tree) if re.match(impure, call)]
    # Data of the package itself is no input of a run: importlib.resources may read it.
    if "importlib" in text:
        found = [call for call in found if not call.endswith((".read_text", ".read_bytes"))]
    assert not found
    assert text.count("\n") <= LINES_LIMIT


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_default_number_says_where_it_comes_from(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    silent = []
    for node in ast.parse("\n".join(lines)).body:
        if not isinstance(node, ast.AnnAssign | ast.Assign) or not has_measured_number(node):
            continue
        start, end = node.lineno - 1, node.end_lineno or node.lineno
        around = lines[max(start - 1, 0) : end + 1]
        block = any("#" in line or '"""' in line for line in around) or in_commented_block(
            lines, start
        )
        if not block:
            silent.append(f"{path.name}:{node.lineno}: {lines[start]}")
    assert not silent, "\n".join(silent)


def has_measured_number(node: ast.AnnAssign | ast.Assign) -> bool:
    """A constant with a unit in its name and a number that is not 0, 1 or a power of ten."""
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    name = ast.unparse(target)
    if name.startswith("_") or not name.isupper() or not unit_of(name) or node.value is None:
        return False
    numbers = [
        float(one.value)
        for one in ast.walk(node.value)
        if isinstance(one, ast.Constant) and type(one.value) in (int, float)
    ]
    return any(abs(value) not in (0.0, 1.0, 2.0, 10.0, 100.0, 1e3, 1e6) for value in numbers)


def in_commented_block(lines: list[str], start: int) -> bool:
    """True where constants stand in one block, without an empty line, under a comment."""
    for line in reversed(lines[:start]):
        if not line.strip():
            return False
        if line.lstrip().startswith("#"):
            return True
    return False
