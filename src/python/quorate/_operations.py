"""The nouns and their operations, made from the table of operations when the package is imported.

What a type checker sees of it stands in ``_operations.pyi``, made from the same table.
"""

from __future__ import annotations

import inspect
import json
import keyword
from typing import Any

from quorate import _native
from quorate._core import AsyncCore, Core
from quorate._guards import AsyncCapacityHolds, AsyncJobLeases, CapacityHolds, JobLeases

_table: dict[str, Any] = json.loads(_native.table())

_MORE: dict[str, tuple[type, type]] = {
    "capacity": (CapacityHolds, AsyncCapacityHolds),
    "job": (JobLeases, AsyncJobLeases),
}


def _python_name(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


class _Operation:
    """One row of the table."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.name: str = row["name"]
        fields = row["fields"]
        subject = row["subject"]
        fields.sort(key=lambda field: (field["name"] != subject, not field["required"]))
        self._names = {_python_name(field["name"]): field["name"] for field in fields}
        # Null is a payload like any other; elsewhere it means that nothing was given.
        self._payloads = {field["name"] for field in fields if field["any"]}
        kinds = inspect.Parameter
        this = kinds("self", kinds.POSITIONAL_ONLY)
        self.signature = inspect.Signature(
            [this]
            + [
                kinds(
                    _python_name(field["name"]),
                    kinds.POSITIONAL_OR_KEYWORD if field["name"] == subject else kinds.KEYWORD_ONLY,
                    default=kinds.empty if field["required"] else None,
                )
                for field in fields
            ]
        )
        told = [f":param {_python_name(field['name'])}: {field['description']}" for field in fields]
        self.doc = "\n".join([f"{row['summary'][0].upper()}{row['summary'][1:]}: ``{self.name}``.", "", *told])

    def fields(self, noun: object, given: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        try:
            bound = self.signature.bind(noun, *given, **named).arguments
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        fields = {self._names[name]: value for name, value in bound.items() if name != "self"}
        return {name: value for name, value in fields.items() if value is not None or name in self._payloads}

    def dress(self, method: Any, owner: str) -> Any:
        method.__name__ = _python_name(self.name.split(".")[1])
        method.__qualname__ = f"{owner}.{method.__name__}"
        method.__doc__ = self.doc
        method.__signature__ = self.signature
        return method


def _sync_method(operation: _Operation) -> Any:
    def method(self: Any, /, *given: Any, **named: Any) -> Any:
        return self._core.call(operation.name, operation.fields(self, given, named))

    return method


def _async_method(operation: _Operation) -> Any:
    async def method(self: Any, /, *given: Any, **named: Any) -> Any:
        return await self._core.acall(operation.name, operation.fields(self, given, named))

    return method


class _Noun:
    def __init__(self, core: Core) -> None:
        self._core = core


def _classes(noun: str, about: str, operations: list[_Operation]) -> tuple[type, type]:
    name = "".join(part.capitalize() for part in noun.split("_"))
    made = []
    for prefix, build, more in (("", _sync_method, 0), ("Async", _async_method, 1)):
        owner = prefix + name
        methods = {}
        for operation in operations:
            method = operation.dress(build(operation), owner)
            methods[method.__name__] = method
        bases = (_MORE[noun][more], _Noun) if noun in _MORE else (_Noun,)
        made.append(type(owner, bases, {"__doc__": f"{about}.", "__module__": __name__, **methods}))
    return made[0], made[1]


_SYNC: dict[str, type] = {}
_ASYNC: dict[str, type] = {}
for _noun, _about in _table["nouns"].items():
    _rows = [row for row in _table["operations"] if row["name"].split(".")[0] == _noun]
    _SYNC[_noun], _ASYNC[_noun] = _classes(_noun, _about, [_Operation(row) for row in _rows])
    globals()[_SYNC[_noun].__name__] = _SYNC[_noun]
    globals()[_ASYNC[_noun].__name__] = _ASYNC[_noun]


class Nouns:
    """One attribute for each noun of the table."""

    def __init__(self, core: Core) -> None:
        for noun, made in _SYNC.items():
            setattr(self, noun, made(core))


class AsyncNouns:
    """One attribute for each noun of the table, for asyncio."""

    def __init__(self, core: AsyncCore) -> None:
        for noun, made in _ASYNC.items():
            setattr(self, noun, made(core))
