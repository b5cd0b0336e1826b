"""Data against a model: every problem of one file in one error, each with its place and the nearest valid key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from floe_dev.config.yaml_source import KeyPath, YamlSource, render_path
from floe_dev.errors import Code, FloeError, Where

M = TypeVar("M", bound=BaseModel)


#: A value below such a key may be a secret somebody wrote down by mistake; it is never repeated in a message.
_SENSITIVE = ("secret", "password", "token", "credential", "key", "client_id")


@dataclass(frozen=True)
class Problem:
    """One thing wrong at one place."""

    where: Where
    code: Code
    what: str
    why: str
    fix: str

    def line(self) -> str:
        """The form in a list below the first problem."""
        return f"{self.where}: {self.what} ({self.why}); {self.fix}"


def validate(model: type[M], source: YamlSource) -> M:
    """`source` as `model`; all problems in one FloeError (1201 if the first is an unknown key, else 1202)."""
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        items = error.errors(include_url=False, include_context=False)
        raise_problems([_problem(model, source, item) for item in items])
        raise AssertionError from error  # a ValidationError has at least one item


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise the first problem by place as a FloeError that lists the others; nothing happens without one."""
    found = sorted(problems, key=lambda p: (str(p.where.file), p.where.line or 0, p.where.column or 0))
    if found:
        first, *rest = found
        detail = tuple(problem.line() for problem in rest)
        raise FloeError(first.code, first.what, why=first.why, fix=first.fix, where=first.where, detail=detail)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` was probably meant to be."""
    names = list(known)
    folded = {candidate.casefold().replace("-", "_"): candidate for candidate in names}
    near = difflib.get_close_matches(name.casefold().replace("-", "_"), list(folded), n=1, cutoff=0.5)
    return folded[near[0]] if near else None


def _problem(model: type[BaseModel], source: YamlSource, item: ErrorDetails) -> Problem:
    path = _in_file(source, item["loc"])
    where = source.where(path)
    name = render_path(path) or source.file.name
    if item["type"] == "extra_forbidden":
        valid = _fields_at(model, path[:-1])
        near = nearest(str(path[-1]), valid)
        fix = f"write `{near}`" if near else "remove the key"
        why = f"the keys known here are: {', '.join(sorted(valid))}" if valid else "no key is known here"
        return Problem(where, Code.UNKNOWN_KEY, f"unknown key `{name}`", why, fix)
    if item["type"] == "missing":
        return Problem(where, Code.INVALID_VALUE, f"`{name}` is missing", "the key is required", f"add `{path[-1]}:`")
    expected = _expected(item)
    got = item.get("input")
    sensitive = any(word in str(part).lower() for part in path for word in _SENSITIVE)
    if not sensitive and (got is None or isinstance(got, str | int | float | bool)):
        expected += f"; it is {str(got)[:60]!r}" if isinstance(got, str) else f"; it is {got}"
    return Problem(where, Code.INVALID_VALUE, f"`{name}` is not valid", expected, _mend(model, path, item))


_EXPECTED = {
    "model_type": "a mapping of `key: value` lines is expected",
    "model_attributes_type": "a mapping of `key: value` lines is expected",
    "dict_type": "a mapping of `key: value` lines is expected",
    "tuple_type": "a list is expected (`- item` lines)",
    "string_type": "text is expected",
    "int_type": "a whole number is expected",
    "int_parsing": "a whole number is expected",
    "bool_type": "`true` or `false` is expected",
    "bool_parsing": "`true` or `false` is expected",
}


def _expected(item: ErrorDetails) -> str:
    known = _EXPECTED.get(item["type"])
    return known or item["msg"].removeprefix("Value error, ").replace("Input should be", "expected is")


def _mend(model: type[BaseModel], path: KeyPath, item: ErrorDetails) -> str:
    name, got = render_path(path), item.get("input")
    annotations = _annotations_at(model, path)
    if any(kind.__name__ == "SecretRef" for annotation in annotations for kind in _models(annotation)):
        return f"write `{path[-1]}: {{secret_ref: NAME}}`; a secret itself never stands in this file"
    if item["type"] == "string_type" and isinstance(got, int | float) and not isinstance(got, bool):
        return f'put it into quotes: `{path[-1]}: "{got}"`'
    if item["type"] == "literal_error" and isinstance(got, str):
        near = nearest(got, [str(value) for annotation in annotations for value in _literals(annotation)])
        if near:
            return f"write `{near}`"
    return f"correct `{name}`" if name else "correct the file"


def _literals(annotation: Any) -> list[Any]:
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return list(arguments)
    return [value for argument in arguments for value in _literals(argument)]


def _in_file(source: YamlSource, loc: tuple[int | str, ...]) -> KeyPath:
    """Pydantic's location without the parts it adds for unions and discriminators."""
    path: KeyPath = ()
    for index, part in enumerate(loc):
        if (*path, part) in source.positions or index == len(loc) - 1:
            path = (*path, part)
    return path


def _annotations_at(model: type[BaseModel], path: KeyPath) -> list[Any]:
    """The annotations that `path` leads to."""
    candidates: list[Any] = [model]
    for part in path:
        following: list[Any] = []
        for candidate in candidates:
            for kind in _models(candidate):
                for field_name, info in kind.model_fields.items():
                    if part in (field_name, info.alias):
                        following.append(info.annotation)
            following.extend(_items(candidate))
        candidates = following
    return candidates


def _fields_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys (by alias) that are valid below `path`."""
    names: list[str] = []
    for candidate in _annotations_at(model, path):
        for kind in _models(candidate):
            names.extend(info.alias or field_name for field_name, info in kind.model_fields.items())
    return names


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if _is_container(annotation):
        return []
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _items(annotation: Any) -> list[Any]:
    """What a list or dict annotation holds, also inside `X | None`."""
    if _is_container(annotation):
        return list(get_args(annotation))
    return [item for argument in get_args(annotation) for item in _items(argument)]


def _is_container(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) in (dict, list, tuple)
