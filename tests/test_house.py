"""The house keeps its order: imports go one way, start-up is light, files small and explained."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

from ldl.execute import REGISTRIES, prepare, train

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ldl"
FILES = sorted(PACKAGE.rglob("*.py"))
ENGINE = sorted((PACKAGE / "engine").rglob("*.py"))
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
ROOMS = (
    "errors", "signals", "fields", "cores", "arrays", "control_characters", "folder_files",
    "atomic_file", "cycles", "engine", "data", "metrics", "config", "compile", "runs", "train",
    "evaluate", "execute", "grid", "plots", "report", "cli",
)  # fmt: skip
HEAVY = ("numpy", "scipy", "sklearn", "matplotlib", "safetensors", "yaml", "jinja2")
LONGEST = 400


def test_the_walk_finds_the_house() -> None:
    """An empty list would make the tests below pass without a look."""
    assert len(FILES) > 60 and len(ENGINE) > 10 and len(CONFIGS) >= 7


# --- imports --------------------------------------------------------------------------------


def imported(text: str) -> Iterator[tuple[int, str]]:
    """(line, module) of every import, wherever it stands: in functions and for types too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: a relative import"
            if node.module == "ldl":
                yield from ((node.lineno, f"ldl.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module or ""


def room(module: str) -> int | None:
    """The number of the room of an `ldl` module; None for what the package itself defines."""
    name = module.split(".")[1]
    return None if name == "__version__" else ROOMS.index(name)


def backward_imports(path: str, text: str) -> list[str]:
    """The imports of a later room in a file, `path` relative to the repository."""
    if path == "ldl/__init__.py":
        return [f"{path}: imports {name}" for _, name in imported(text)]
    own = ROOMS.index(path.split("/")[1].removesuffix(".py"))
    found = []
    for line, name in imported(text):
        theirs = room(name) if name.startswith("ldl.") else None
        if theirs is not None and theirs > own:
            found.append(f"{path}:{line}: {ROOMS[own]} imports {name}")
    return found


def test_imports_go_one_way() -> None:
    """No room imports one that stands after it, not even for types or within a function."""
    found: list[str] = []
    for path in FILES:
        found += backward_imports(path.relative_to(ROOT).as_posix(), path.read_text())
    assert found == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not within a room either, nor for types or within a function."""
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in FILES
    }
    imports = {
        name: {module for _, module in imported(path.read_text()) if module in names} - {name}
        for name, path in names.items()
    }
    packages = {name for name, path in names.items() if path.name == "__init__.py"}
    graph = {
        name: modules - {parent for parent in packages if name.startswith(f"{parent}.")}
        for name, modules in imports.items()
    }
    assert find_cycle(graph) is None


def find_cycle(graph: dict[str, set[str]]) -> list[str] | None:
    """Modules of which each imports the next and the last the first, or None."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def test_a_circle_would_be_seen() -> None:
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) is not None
    assert find_cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None


@pytest.mark.parametrize(
    "text",
    [
        "import ldl.cli",
        "from ldl.execute import train",
        "from ldl import metrics",
        "def f():\n    from ldl.compile import compile_config",
        "if TYPE_CHECKING:\n    from ldl.data import Dataset",
    ],
)
def test_a_backward_import_would_be_seen(text: str) -> None:
    """The walk sees imports in any form."""
    assert backward_imports("ldl/engine/layer.py", text)
    assert not backward_imports("ldl/cli/app.py", text)


def test_the_engine_needs_numpy_alone() -> None:
    """The engine imports the standard library, NumPy and the package."""
    allowed = {*sys.stdlib_module_names, "numpy", "ldl"}
    for path in [*ENGINE, PACKAGE / "errors.py", PACKAGE / "fields.py"]:
        for line, name in imported(path.read_text()):
            assert name.split(".")[0] in allowed, f"{path}:{line} imports {name}"
            # no files, no clock, no processes
            assert name.split(".")[0] not in {"os", "time", "pathlib", "io", "random"}, path


@pytest.mark.parametrize("words", [("--help",), ("train", "--help"), ("runs", "-h"), ("-h",)])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    """Help is there at once: no NumPy, no matplotlib, no scikit-learn."""
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('MODULES', *sys.modules))\n"
        f"sys.argv = ['ldl', *{list(words)!r}]\n"
        "from ldl.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    modules = done.stdout.rpartition("MODULES ")[2].split()
    assert "typer" in modules
    assert [name for name in modules if name.split(".")[0] in HEAVY] == []
    assert "Usage" in done.stdout and done.stderr == ""


# --- names ----------------------------------------------------------------------------------

SAME_ROLE = {"__init__.py", "base.py"}  # files of the same role in sibling folders


def repeated(names: Iterable[str]) -> set[str]:
    """Names that occur more than once."""
    return {name for name, count in Counter(names).items() if count > 1}


def class_names(text: str) -> Iterator[str]:
    """Every class of a file, nested and private ones included."""
    return (node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef))


def test_a_name_has_one_meaning() -> None:
    """No module's name and no class's name stands for two things, but for files of one role."""
    assert repeated(path.name for path in FILES) - SAME_ROLE == set()
    assert repeated(name for path in FILES for name in class_names(path.read_text())) == set()
    assert repeated(["a.py", "b.py", "a.py"]) == {"a.py"}
    assert list(class_names("class A:\n    class _B: ...")) == ["A", "_B"]


def test_arrays_have_one_alias() -> None:
    """`Array` and `Shape` are defined in `ldl/arrays.py` alone."""
    defining = [
        path.relative_to(ROOT).as_posix()
        for path in FILES
        if re.search(r"^(Array|Shape)\b[^=\n]*=", path.read_text(), re.M)
    ]
    assert defining == ["ldl/arrays.py"]


# --- files and docstrings -------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_are_short_and_say_what_they_hold(path: Path) -> None:
    """No file above the limit; every one that holds anything begins with a docstring."""
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def public(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Public classes, functions and methods by their dotted names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("_"):
                continue
            yield f"{owner}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{owner}{node.name}.")


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_everything_public_in_the_engine_is_explained(path: Path) -> None:
    """Every public class, function and method has a docstring."""
    named = public(ast.parse(path.read_text()))
    assert [n for n, node in named if not ast.get_docstring(node)] == []  # type: ignore[arg-type]


ENTRIES = [(kind, name) for kind, names in REGISTRIES.items() for name in names]


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_every_name_of_the_language_is_explained(kind: str, name: str) -> None:
    """An entry has a docstring of its own, and its first line says what it is."""
    entry = REGISTRIES[kind][name]
    own = entry.__dict__.get("__doc__") or ""
    assert own.strip().splitlines()[:1] not in ([], [""])
    assert not own.startswith(f"{entry.__name__}("), "a dataclass's signature is no docstring"
    first = (inspect.getdoc(entry) or "").splitlines()[0]
    assert first.rstrip().endswith((".", ":")), first
    assert import_module(entry.__module__).__doc__


# --- configurations -------------------------------------------------------------------------


def shipped(path: Path) -> Path:
    """A shipped configuration; skips where its data is not at hand."""
    home = Path(os.environ.get("LDL_DATA_DIR") or "/nowhere")
    text = path.read_text()
    above = re.search(r"^extends: (.+)$", text, re.M)
    text += (path.parent / above[1]).read_text() if above else ""
    for name, files in NEEDED.items():
        wanted = re.search(rf"source: {{?{name}\b", text)
        if wanted and not list(home.glob(files)):
            pytest.skip(f"LDL_DATA_DIR holds no {name}")
    return path


NEEDED = {
    "mnist": "train-images*",
    "digit_pairs": "train-images*",
    "usps": "usps.npz",
    "cifar10": "cifar10*",
}
FEW = ("data.split.train=200", "data.split.validation=100", "data.split.test=100")
SMALL = {
    "mnist_mlp": FEW,
    "lenet5": FEW,
    "conv1d_usps": FEW,
    "conv2d_usps": FEW,
    "cifar10": FEW,
    "transformer": FEW,
    "denoise": ("evaluate.1.denoising.epochs=1",),
    "autoenc": (*FEW, "evaluate=[reconstruction, compression, clustering]"),
}


@pytest.mark.parametrize(
    "path", [p for p in CONFIGS if p.parent.name != "reports"], ids=lambda path: path.stem
)
def test_every_configuration_trains(path: Path, tmp_path: Path) -> None:
    """One epoch, to a complete folder; the resolved configuration is that experiment again.

    Those of configs/reports are run by `make reproduce-report`, in CI in its quick profile.
    """
    prepared = prepare(shipped(path), ["train.epochs=1", *SMALL.get(path.stem, ())])
    run = train(prepared, tmp_path)
    assert run.read_status().status == "completed"
    assert run.results.exists() and run.model.exists()
    again = prepare(run.config)
    assert again.yaml == prepared.yaml


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_is_sound(path: Path) -> None:
    """Reading, checking and building find nothing; none needs its data for that."""
    prepared = prepare(path)
    assert prepared.experiment.config.name == path.stem
    assert prepared.experiment.graph.weights
