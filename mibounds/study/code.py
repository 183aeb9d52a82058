"""The measuring code of a study: a hash of what `measure` runs in the study's own file, and of nothing else there."""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mibounds.study.study import Study

READS_A_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
SAYS_NOTHING = {"ctx", "kind", "type_comment", "type_ignores"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def measuring_code(study: Study) -> list[Any]:
    """What decides a cell's numbers beside its point, its settings and the library, as plain values.

    That is the code of `measure`, of every function, class, constant and import at the top level of the file that it
    names, of those that these name, and so on; and the axes that each seed depends on. Comments, formatting,
    docstrings and the types of arguments do not count, nor do claims and drawing, unless `measure` names what they
    do. Not followed: imports, into whatever file, and names that are put together while the code runs. A `measure`
    that is no function of the file makes the whole file count.
    """
    seeds = {purpose: sorted({*axes} - {"replicate"}) for purpose, axes in study.seeds.items()}
    return [seeds, [] if study.file is None else [*_reached(study.measure, study.file, study.source)]]


def _reached(measure: Any, path: Path, source: bytes) -> Iterator[Any]:
    module = ast.parse(source)
    root = _root(measure, module, path)
    registered = _registered(module)
    for node in ast.walk(module):
        _strip(node, keeps_types=node in registered)
    if root is None:
        yield _plain(module)
        return
    makers: dict[str, list[int]] = {}
    for place, statement in enumerate(module.body):
        for name in _makes(statement) | registered.get(statement, set()):
            makers.setdefault(name, []).append(place)

    taken: set[int] = set()
    waiting = [*_names(root)]
    while waiting:
        for place in makers.get(waiting.pop(), ()):
            if place not in taken and module.body[place] is not root:
                taken.add(place)
                waiting += _names(module.body[place])
    yield _plain(root)
    yield from (_plain(module.body[place]) for place in sorted(taken))


def _root(measure: Any, module: ast.Module, path: Path) -> ast.AST | None:
    """Where `measure` is defined: a statement at the top level or a lambda; None if it is neither, in this file."""
    code = getattr(measure, "__code__", None)
    if not isinstance(code, CodeType) or code.co_filename != str(path):
        return None  # a callable object, a partial, an import
    if code.co_freevars or hasattr(measure, "__wrapped__"):
        return None  # made by another function, with what that held
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef) and code.co_firstlineno == _first_line(statement):
            return statement
    lambdas = [node for node in ast.walk(module) if isinstance(node, ast.Lambda)]
    there = [node for node in lambdas if node.lineno == code.co_firstlineno]
    return there[0] if code.co_name == "<lambda>" and len(there) == 1 else None


def _first_line(function: ast.FunctionDef) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def _registered(module: ast.Module) -> dict[ast.AST, set[str]]:
    """Definitions at the top level with a decorator of the file's own -> the names that it may put them into.

    @law("x") adds to whatever `law` reads, such as a dictionary of laws; @area.register to `area`.
    """
    reads = {one.name: _names(one) for one in module.body if isinstance(one, DEFINITIONS)}
    found: dict[ast.AST, set[str]] = {}
    for one in module.body:
        if isinstance(one, DEFINITIONS):
            own = {name for decorator in one.decorator_list for name in _names(decorator)} & reads.keys()
            if own:
                found[one] = own.union(*(reads[name] for name in own))
    return found


def _strip(node: ast.AST, keeps_types: bool) -> None:
    """Without docstrings and types, neither of which a number depends on, unless by a decorator such as `register`."""
    if isinstance(node, (ast.Module, *DEFINITIONS)) and ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:] or [ast.copy_location(ast.Pass(), node.body[0])]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not keeps_types:
        node.returns = None
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None


def _makes(statement: ast.stmt) -> set[str]:
    """The names at the top level that a statement there binds, or may change: X = ..., X[0] = ..., X.update(...)."""
    if isinstance(statement, DEFINITIONS):
        return {statement.name}
    made: set[str] = set()
    for node in ast.walk(statement):
        match node:
            case ast.Import() | ast.ImportFrom():
                made |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.ExceptHandler(name=str()):
                made.add(str(node.name))
            case ast.Name(ctx=ast.Store() | ast.Del()):
                made.add(node.id)
            case ast.Attribute(ctx=ast.Store()) | ast.Subscript(ctx=ast.Store()):
                made |= {inner.id for inner in ast.walk(node.value) if isinstance(inner, ast.Name)}
            case ast.Expr():
                made |= {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return made


def _names(node: ast.AST) -> set[str]:
    """The names of the top level that its code reads, as the compiler finds them: no local and no attribute."""
    body = [ast.copy_location(ast.Expr(node), node)] if isinstance(node, ast.expr) else [node]
    future = [ast.ImportFrom("__future__", [ast.alias("annotations")], 0)]
    module = ast.fix_missing_locations(ast.Module([*future, *body], []))
    return set(_read(compile(module, "<study>", "exec")))


def _read(code: CodeType) -> Iterable[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in READS_A_GLOBAL:
            yield instruction.argval
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _read(inner)


def _plain(node: Any) -> Any:
    """A syntax tree as lists and texts, the same on every version of Python; `ast.dump` is not."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, ast.AST):
        return node if isinstance(node, str) else repr(node)
    told = [(name, value) for name, value in ast.iter_fields(node) if name not in SAYS_NOTHING]
    return [type(node).__name__, *([name, _plain(value)] for name, value in told if value not in (None, []))]
