"""Single-token changes of Python source that tests should notice."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

SWAPS: dict[type[ast.AST], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
    ast.Add: ("+", ("-",)),
    ast.Sub: ("-", ("+",)),
    ast.Mult: ("*", ("/",)),
    ast.Div: ("/", ("*",)),
    ast.FloorDiv: ("//", ("*", "%")),
    ast.Mod: ("%", ("//",)),
    ast.Pow: ("**", ("*",)),
    ast.LShift: ("<<", (">>",)),
    ast.RShift: (">>", ("<<",)),
    ast.BitAnd: ("&", ("|",)),
    ast.BitOr: ("|", ("&",)),
    ast.And: ("and", ("or",)),
    ast.Or: ("or", ("and",)),
}
NAMES = {
    "min": "max", "minimum": "maximum", "argmin": "argmax", "all": "any", "floor": "ceil",
    "zeros": "ones", "break": "continue",
}  # fmt: skip
NAMES |= {after: before for before, after in NAMES.items()}
INERT = {"dataclass", "field", "TypeVar", "TypedDict", "lru_cache"}  # calls that tests do not judge

Position = tuple[int, int]  # line from 1, column in characters from 0


@dataclass(frozen=True)
class Place:
    """A token of a file, and what it may be changed to."""

    path: str
    start: Position
    end: Position
    before: str
    after: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One token of a file replaced by another."""

    place: Place
    after: str

    def __str__(self) -> str:
        """`FILE:LINE:COL  BEFORE → AFTER`, with the column from 1."""
        line, column = self.place.start
        return f"{self.place.path}:{line}:{column + 1}  {self.place.before} → {self.after}"

    def apply(self, text: str) -> str:
        """The text of the file with this change."""
        lines = text.splitlines(keepends=True)
        (first, start), (last, end) = self.place.start, self.place.end
        head, tail = lines[first - 1][:start], lines[last - 1][end:]
        return "".join(lines[: first - 1]) + head + self.after + tail + "".join(lines[last:])


def find_places(path: str, text: str) -> list[Place]:
    """Operators, numbers, `and`, `or`, `not`, True, False, min, max … of a file, in its order.

    Left out are type annotations except the bounds that their calls state, arguments of
    `dataclass` and the like, `strict` of zip, strings, and expressions within f-strings.
    """
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.string.strip()]
    lines = text.splitlines()

    def position(line: int, column: int) -> Position:
        """`ast` counts columns in bytes, `tokenize` in characters."""
        return line, len(lines[line - 1].encode()[:column].decode())

    def between(left: ast.AST, right: ast.AST, words: list[str]) -> tuple[Position, Position]:
        """The span of an operator between its operands."""
        low = position(left.end_lineno, left.end_col_offset)  # type: ignore[attr-defined]
        high = position(right.lineno, right.col_offset)  # type: ignore[attr-defined]
        match = [t for t in tokens if low <= t.start and t.end <= high and t.string in words]
        return match[0].start, match[len(words) - 1].end

    places = []
    for node in executed_nodes(ast.parse(text)):
        for kind, left, right in operations(node):
            if kind not in SWAPS:  # the matrix product
                continue
            before, after = SWAPS[kind]
            places.append(Place(path, *between(left, right, before.split()), before, after))
        for start, before, after in tokens_of(node):
            line, column = position(*start)
            places.append(Place(path, (line, column), (line, column + len(before)), before, after))
    return sorted((p for p in places if stands_there(p, lines)), key=lambda place: place.start)


def stands_there(place: Place, lines: list[str]) -> bool:
    """Whether the file has the token at that place (a number may be written 0x10 or 1e3)."""
    (first, start), (last, end) = place.start, place.end
    return first != last or lines[first - 1][start:end] == place.before


def operations(node: ast.AST) -> Iterator[tuple[type[ast.AST], ast.AST, ast.AST]]:
    """Each (operator, left, right) of an expression with two or more operands."""
    if isinstance(node, ast.BinOp):
        yield type(node.op), node.left, node.right
    elif isinstance(node, ast.BoolOp):
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield type(node.op), left, right
    elif isinstance(node, ast.Compare):
        for op, left, right in zip(
            node.ops, [node.left, *node.comparators], node.comparators, strict=False
        ):
            yield type(op), left, right


def tokens_of(node: ast.AST) -> Iterator[tuple[Position, str, tuple[str, ...]]]:
    """Each (line and byte column, token, replacements) of constants, names and unary operators."""
    if isinstance(node, ast.Constant):
        start = (node.lineno, node.col_offset)
        if isinstance(node.value, bool):
            yield start, str(node.value), (str(not node.value),)
        elif isinstance(node.value, int):
            after = (node.value + 1, node.value - 1) if node.value else (1,)
            yield start, str(node.value), tuple(map(str, after))
        elif isinstance(node.value, float):
            yield start, repr(node.value), (repr(node.value + 1.0),)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield (node.lineno, node.col_offset), "not" if isinstance(node.op, ast.Not) else "-", ("",)
    elif isinstance(node, ast.Name) and node.id in NAMES:
        yield (node.lineno, node.col_offset), node.id, (NAMES[node.id],)
    elif isinstance(node, ast.Attribute) and node.attr in NAMES and node.end_col_offset:
        start = (node.end_lineno or 0, node.end_col_offset - len(node.attr))
        yield start, node.attr, (NAMES[node.attr],)
    elif isinstance(node, ast.Break | ast.Continue):
        word = type(node).__name__.lower()
        yield (node.lineno, node.col_offset), word, (NAMES[word],)
    elif isinstance(node, ast.AugAssign) and type(node.op) in SWAPS:
        before, after = SWAPS[type(node.op)]
        # The operator is the first token after the target.
        start = (node.target.end_lineno or 0, (node.target.end_col_offset or 0) + 1)
        yield start, f"{before}=", (f"{after[0]}=",)


def executed_nodes(node: ast.AST, annotation: bool = False) -> Iterator[ast.AST]:
    """The nodes of a tree but for types, f-strings and arguments of calls without effect."""
    annotation = annotation and not isinstance(node, ast.Call)
    if not annotation and not is_union(node):
        yield node
    if isinstance(node, ast.JoinedStr) or is_call(node, INERT):
        return
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.keyword) and is_call(node, {"zip"}):
                continue  # strict=True asserts what holds
            if isinstance(child, ast.UnaryOp) and is_call(node, {"reshape"}):
                yield child  # any negative number does what −1 does
            elif isinstance(child, ast.AST):
                typed = annotation or name in ("annotation", "returns")
                yield from executed_nodes(child, typed or is_type(node))


def is_union(node: ast.AST) -> bool:
    """Whether an expression is a union of types, such as `int | None`."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.BitOr):
        return False
    sides = (node.left, node.right)
    return any(
        is_union(side)
        or is_type(side)
        or (isinstance(side, ast.Constant) and side.value is None)
        or (isinstance(side, ast.Name) and side.id[0].isupper())
        or (isinstance(side, ast.Name) and side.id in ("int", "str", "float", "bool", "list"))
        for side in sides
    )


def is_type(node: ast.AST) -> bool:
    """Whether an expression is `Annotated[…]`, `Literal[…]` or another generic type."""
    return isinstance(node, ast.Subscript) and (
        isinstance(node.value, ast.Name) and node.value.id in ("Annotated", "Literal", "Callable")
    )


def is_call(node: ast.AST, names: set[str]) -> bool:
    """Whether a node calls one of the functions or methods."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in names
