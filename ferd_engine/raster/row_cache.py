"""Full rows as the file stores them, each read once although windows with a halo overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Callable, NamedTuple

from numpy.typing import NDArray


class Rows(NamedTuple):
    """Rows [start, start + n) of the image: `stored` is (bands, n, cols) in the file's dtype."""

    start: int
    stored: NDArray[Any]

    @property
    def stop(self) -> int:
        return self.start + self.stored.shape[1]

    def after(self, row: int) -> NDArray[Any]:
        """Return what is stored from `row` on, perhaps nothing."""
        return self.stored[:, max(row - self.start, 0) :]


class RowCache:
    """Keeps what the last window needed, for the next one that starts at or after it.

    Rows are read in units of `unit_rows`, the height of the file's tiles, so that no tile is decoded twice by windows
    that go down the image; other orders give the same values, only slower.
    """

    def __init__(self, load: Callable[[int, int, Sequence[int]], NDArray[Any]], n_rows: int, unit_rows: int) -> None:
        self._load = load
        self._n_rows = n_rows
        self._unit_rows = unit_rows
        self._numbers: tuple[int, ...] = ()
        self._held: list[Rows] = []

    def read(self, row_start: int, row_stop: int, numbers: Sequence[int]) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield (row, stored values (bands, cols)) for each row of [row_start, row_stop)."""
        for rows in self.read_pieces(row_start, row_stop, numbers):
            for index in range(rows.stored.shape[1]):
                yield rows.start + index, rows.stored[:, index]

    def read_pieces(self, row_start: int, row_stop: int, numbers: Sequence[int]) -> Iterator[Rows]:
        """Yield the rows [row_start, row_stop) in the pieces in which they are held."""
        # A window that lies beyond what is held is no continuation: the rows in between are nobody's.
        continues = bool(self._held) and self._held[0].start <= row_start <= self._held[-1].stop
        if self._numbers != tuple(numbers) or not continues:
            self._held = []
            self._numbers = tuple(numbers)
        next_row = self._held[-1].stop if self._held else row_start - row_start % self._unit_rows
        if next_row < row_stop:
            # A copy of the few rows that are still needed lets go of the unit that they are part of.
            tails = [Rows(max(rows.start, row_start), rows.after(row_start).copy()) for rows in self._held]
            self._held = [rows for rows in tails if rows.stored.shape[1]]
            units = -(-(row_stop - next_row) // self._unit_rows)
            stop = min(next_row + units * self._unit_rows, self._n_rows)
            self._held.append(Rows(next_row, self._load(next_row, stop, numbers)))
        for rows in self._held:
            start, stop = max(rows.start, row_start), min(rows.stop, row_stop)
            if start < stop:
                yield Rows(start, rows.stored[:, start - rows.start : stop - rows.start])

    def most_rows(self, window_rows: int) -> int:
        """Return the most rows that are held while windows of this height, halo included, go down the image."""
        return min(-(-window_rows // self._unit_rows) * self._unit_rows + window_rows, self._n_rows)
