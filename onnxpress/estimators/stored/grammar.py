"""The grammar of stored estimators: what a description may name, and how that is made.

:func:`judge` looks at names only and makes nothing. :func:`build` makes what was judged:
containers and objects first and their content afterwards, so that they may contain themselves;
whatever else there is, of its parts, by a rule.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from onnxpress.estimators.stored import (
    arrays,
    classes,
    containers,
    histogram_nodes,
    losses,
    neighbor_trees,
    owners,
    random_states,
    sparse,
    trees,
    values,
)
from onnxpress.estimators.stored.budget import Budget, children
from onnxpress.estimators.stored.errors import Damaged, OtherVersion, Refused
from onnxpress.estimators.stored.nodes import Array, Global, List, Made, Mapping, Set, Tuple
from onnxpress.estimators.stored.places import Places
from onnxpress.estimators.stored.rules import Rule

RULES: dict[str, Rule] = {}
"""How each thing that is no plain container or object is made, by the name of its maker."""
NAMED: set[str] = set()
"""Names that a rule takes as an argument and that mean nothing elsewhere."""
UNMADE: set[str] = set()
"""Makers whose rules look at parts before these are made, because they need not all be copied."""
for _module in (
    arrays,
    classes,
    containers,
    histogram_nodes,
    losses,
    neighbor_trees,
    random_states,
    sparse,
    trees,
    values,
):
    RULES |= _module.RULES
    NAMED |= set(getattr(_module, "NAMED", ()))
    UNMADE |= set(getattr(_module, "UNMADE", ()))

DEEPEST = 300
"""Parts within parts: an estimator in another takes four."""
VERSION = "_sklearn_version"
_PLAIN = frozenset((type(None), bool, int, float, str, bytes))
_CONTAINERS = frozenset((List, Tuple, Mapping, Set))


def judge(root: Any, trusted: Collection[str] = ()) -> None:
    """Look at every name in a description.

    Of modules, only known ones and those of trusted classes are imported.

    Raises:
        OtherVersion: an estimator in it was written by another scikit-learn.
        Refused: it names what is not in the grammar and not ``trusted``.
        Damaged: it calls what it has made.
    """
    judgement = _Judgement(classes.pickled_names(trusted))
    judgement.walk(root)
    if judgement.version is not None:
        raise OtherVersion(judgement.version)
    if judgement.calls:
        raise Refused(judgement.calls, "calls")
    if judgement.names:
        raise Refused(judgement.names)
    if judgement.calls_made:
        raise Damaged("it calls what it has made itself")


def judge_names(names: Sequence[Global], trusted: Collection[str] = ()) -> None:
    """Look at the names in a file that was not read to its end.

    What would have become of them is not known.

    Raises:
        Refused: one of them is of no use anywhere.
    """
    judgement = _Judgement(classes.pickled_names(trusted))
    elsewhere = RULES.keys() | NAMED | UNMADE | values.VALUES.keys()
    if bad := {
        name.path for name in names if name.path not in elsewhere and not judgement.is_class(name)
    }:
        raise Refused(bad)


def build(root: Any, trusted: Collection[str] = ()) -> Any:
    """Make what a judged description describes.

    Raises:
        Damaged: its parts do not fit together.
    """
    try:
        builder = _Builder(classes.pickled_names(trusted), Budget(root))
        made = builder.build(root)
        places = Places()
        for instance in builder.instances:
            owners.check(instance)
            if (
                classes.known_class(type(instance).__module__, type(instance).__name__) is not None
            ):  # not of trusted classes
                places.check(instance)
    except (Damaged, OtherVersion, MemoryError):
        raise
    except (
        Exception
    ) as error:  # of checks that have not foreseen a value; a trusted class may raise anything
        raise Damaged(f"its parts do not fit together: {error!r}") from error
    return made


def trusted_class(path: str, trusted: Collection[str]) -> type | None:
    """The class of that name if it is ``trusted``, which imports its module.

    A function of a trusted name is none.

    Raises:
        Damaged: the module cannot be imported.
    """
    if path not in trusted:
        return None
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # a user's module may raise anything
        raise Damaged(f"its trusted class {path} cannot be imported: {error}") from error
    return found if isinstance(found, type) else None


class _Judgement:
    def __init__(self, trusted: Collection[str]) -> None:
        self.trusted = trusted
        self.names: set[str] = set()
        self.calls: set[str] = set()
        self.version: str | None = None
        self.calls_made = False
        self.looked_at: set[int] = set()

    def walk(self, root: Any) -> None:
        """Look at each node once."""
        seen: set[int] = set()
        work = [root]
        while work:
            node = work.pop()
            kind = type(node)
            if kind in _PLAIN or id(node) in seen:
                continue
            seen.add(id(node))
            if kind is Global:
                self.value(node)
            elif kind is Made:
                work.extend(self.made(node))
            elif kind is Array:
                work.extend([] if isinstance(node.dtype, np.dtype) else [node.dtype])
            elif kind in _CONTAINERS:
                work.extend(children(node))
            else:
                raise Damaged(f"a part that is a {kind.__name__}")

    def value(self, name: Global) -> None:
        """A name that the file holds."""
        if name.path not in values.VALUES:
            self.names.add(name.path)

    def made(self, made: Made) -> list[Any]:
        """A name that the file has made something of; the parts that are left to look at."""
        if not isinstance(made.maker, Global):
            self.calls_made = True
            return [made.maker, *children(made)]
        path = made.maker.path
        if path in RULES:
            return [part for part in children(made) if not self.is_argument(part, made)]
        self.look_at_version(made)
        if not self.is_class(made.maker):
            (self.calls if made.how == "call" else self.names).add(path)
        return children(made)

    def is_argument(self, part: Any, made: Made) -> bool:
        """Whether it is a name that rules take as an argument."""
        if not isinstance(part, Global) or not any(part is argument for argument in made.arguments):
            return False
        return part.path in NAMED or part.path in RULES or self.is_class(part)

    def is_class(self, name: Global) -> bool:
        """Whether it is a class whose objects are made without arguments."""
        known = classes.known_class(name.module, name.name)
        return known is not None or trusted_class(name.path, self.trusted) is not None

    def look_at_version(self, made: Made) -> None:
        """Keep the first version of an estimator of scikit-learn that is not the installed one."""
        from sklearn import __version__

        for state in made.states if made.maker.module.partition(".")[0] == "sklearn" else []:
            if not isinstance(state, Mapping) or id(state) in self.looked_at:
                continue
            self.looked_at.add(id(state))
            for key, value in state.pairs:
                if (
                    key == VERSION
                    and isinstance(value, str)
                    and value != __version__
                    and self.version is None
                ):
                    self.version = value


class _Builder:
    def __init__(self, trusted: Collection[str], budget: Budget) -> None:
        self.trusted = trusted
        self.budget = budget
        self.made: dict[int, Any] = {}
        self.unfinished: set[int] = set()
        self.kept: list[Any] = []
        self.instances: list[Any] = []

    def build(self, root: Any) -> Any:
        """Make the root: a walk that comes to each node twice, before and after its parts."""
        work: list[tuple[Any, bool]] = [(root, False)]
        depth = 0
        while work:
            node, parts_made = work.pop()
            if parts_made:
                depth -= 1
                self.finish(node)
            elif not self.is_done(node):
                depth += 1
                if depth > DEEPEST:
                    raise Damaged(f"its parts are nested deeper than {DEEPEST}")
                self.begin(node)
                work.append((node, True))
                work.extend(
                    (part, False) for part in reversed(self.parts(node)) if type(part) not in _PLAIN
                )
        return self.of(root)

    def parts(self, node: Any) -> list[Any]:
        """What is made before the node itself is."""
        if type(node) is Made and isinstance(node.maker, Global) and node.maker.path in UNMADE:
            return []
        return children(node)

    def of(self, node: Any) -> Any:
        """What was made of a node."""
        kind = type(node)
        if kind is str:
            return sys.intern(node)
        if kind in _PLAIN:
            return node
        if kind is Global:
            return self.named(node)
        if (
            id(node) not in self.made
        ):  # a node that a rule has put together, or that it wants unmade
            self.kept.append(node)
            self.build(node)
        return self.made[id(node)]

    def named(self, name: Global) -> Any:
        """The object of a name that stands as a value."""
        if name.path not in values.VALUES:
            raise Damaged(f"{name.path} is not expected where it is")
        return values.value(name.path)

    def is_done(self, node: Any) -> bool:
        """Whether nothing is left to do for a node.

        Raises:
            Damaged: it contains itself, and its type does not allow that.
        """
        if type(node) in _PLAIN or type(node) is Global or id(node) in self.made:
            return True
        if id(node) in self.unfinished:
            raise Damaged("a part that contains itself")
        return False

    def begin(self, node: Any) -> None:
        """Make what is filled afterwards; note what is made of its parts."""
        kind = type(node)
        if kind is List:
            self.made[id(node)] = []
        elif kind is Mapping:
            self.made[id(node)] = {}
        elif kind is Made and (found := self.class_of(node)) is not None:
            self.made[id(node)] = self.empty(node, found)
        else:
            self.unfinished.add(id(node))

    def finish(self, node: Any) -> None:
        """Fill it, or make it of its parts."""
        kind, made = type(node), self.made.get(id(node))
        if made is None or id(node) in self.unfinished:
            self.made[id(node)] = self.of_parts(node)
            self.unfinished.discard(id(node))
        elif kind is List:
            made.extend([self.of(item) for item in node.items])
        elif kind is Mapping:
            containers.fill_pairs(made, node.pairs, self.of)
        else:
            self.fill(node, made)

    def spend(self, made: Made, *, copied: bool) -> None:
        """Count what an object is made of."""
        parts = [*made.arguments, *made.states]
        if made.maker.path in UNMADE:
            parts = [part for state in made.states for part in children(state)]
        unmade = (part if type(part) in (Array, Global) else self.of(part) for part in parts)
        self.budget.spend([*unmade, made.items, made.pairs], copied=copied)

    def of_parts(self, node: Any) -> Any:
        """What cannot contain itself."""
        kind = type(node)
        if kind is Tuple:
            return tuple([self.of(item) for item in node.items])
        if kind is Set:
            return containers.build_set(node, self.of)
        if kind is Array:
            return arrays.build_array(node)
        return self.by_rule(node)

    def by_rule(self, made: Made) -> Any:
        """What the rule of its maker makes."""
        path = made.maker.path if isinstance(made.maker, Global) else ""
        if path not in RULES:
            raise Damaged(
                "it makes an object with arguments, which only functions of the grammar are given"
            )
        self.spend(made, copied=True)
        try:
            return RULES[path](made, self.of)
        except (Damaged, MemoryError):
            raise
        except Exception as error:  # what a constructor raises of data that do not fit together
            raise Damaged(f"a {path} cannot be made: {error}") from error

    def class_of(self, made: Made) -> type | None:
        """The class of an object that is made first and filled afterwards."""
        if not isinstance(made.maker, Global) or made.maker.path in RULES or made.arguments:
            return None
        known = classes.known_class(made.maker.module, made.maker.name)
        return trusted_class(made.maker.path, self.trusted) if known is None else known

    def empty(self, made: Made, found: type) -> Any:
        """An object without state."""
        if made.how != "new" or made.keywords:
            raise Damaged(f"it calls the class {found.__name__}")
        instance = classes.empty(found) if self.is_known(made.maker) else self.empty_trusted(found)
        self.instances.append(instance)
        return instance

    def empty_trusted(self, found: type) -> Any:
        """An object of a trusted class without state, by its own ``__new__``."""
        try:
            return found.__new__(found)  # type: ignore[call-overload] # some class, not type itself
        except Exception as error:  # a user's class may raise anything
            raise Damaged(
                f"a {found.__name__} cannot be made without arguments: {error}"
            ) from error

    def is_known(self, name: Global) -> bool:
        """Whether it is a class of the grammar, not one that is trusted."""
        return classes.known_class(name.module, name.name) is not None

    def fill(self, made: Made, instance: Any) -> None:
        """Give an object its items and its state."""
        name = type(instance).__name__
        if len(made.states) > 1:
            raise Damaged(f"a {name} with more than one state")
        known = self.is_known(made.maker)
        if made.pairs and isinstance(instance, dict):
            containers.fill_pairs(instance, made.pairs, self.of)
        elif made.items and isinstance(instance, list) and not known:
            list.extend(instance, [self.of(item) for item in made.items])
        elif made.items or made.pairs:
            raise Damaged(f"a {name} with items")
        self.spend(made, copied=False)
        state = self.of(made.states[0]) if made.states else {}
        if known:
            classes.set_state(instance, state)
        elif made.states:
            classes.set_trusted_state(instance, state)
