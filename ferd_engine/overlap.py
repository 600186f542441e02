"""Reading one block ahead while the last one is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def one_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
    """Yield (item, function(item)) in order; the next call runs in one thread of its own while the caller works.

    An exception of the function is raised where its result would have come. When the caller stops early, the call
    under way is waited for, so that nothing runs behind its back.
    """
    with ThreadPoolExecutor(1, "ferd-read") as pool:
        waiting = None
        for item in items:
            coming = item, pool.submit(function, item)
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = coming
        if waiting is not None:
            yield waiting[0], waiting[1].result()
