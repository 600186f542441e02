"""Reading one block ahead and writing one behind while a block is computed."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Callable, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def one_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Generator[tuple[Item, Result], None, None]:
    """Yield (item, function(item)) in order; the next call runs in one thread of its own while the caller works.

    An exception of the function is raised where its result would have come. A caller that stops early closes the
    generator (`contextlib.closing`): the call under way is waited for, so that nothing runs behind its back.
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


def one_begun(begun: Iterable[tuple[Item, Callable[[], Result]]]) -> Iterator[tuple[Item, Result]]:
    """Yield (item, result) in order, for items with what waits for their results.

    The next item is taken, and with that begun, before an item is waited for, so that no thread is idle in between.
    """
    last: tuple[Item, Callable[[], Result]] | None = None
    for item, wait in begun:
        if last is not None:
            yield last[0], last[1]()
        last = item, wait
    if last is not None:
        yield last[0], last[1]()


@contextmanager
def one_behind(function: Callable[..., object]) -> Iterator[Callable[..., None]]:
    """Give a function that hands its arguments to `function` in a thread and returns at once.

    A call waits until the one before it is done, so at most one is under way; its exception is raised by the next call,
    or at the end.
    """
    with ThreadPoolExecutor(1, "ferd-write") as pool:
        under_way: list[Future[object]] = []

        def call(*arguments: object) -> None:
            while under_way:
                under_way.pop().result()
            under_way.append(pool.submit(function, *arguments))

        yield call
        while under_way:
            under_way.pop().result()
