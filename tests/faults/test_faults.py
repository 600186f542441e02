"""Whatever befalls a run, it loses no file, leaves no part of one, and the next run gives what it would have given."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from ferd_engine.threads import available_threads
from tests.faults.conftest import Counts
from tests.faults.harness import FAULTS, SIGNALS, Command, check_end, ferd, fresh_place, hashes, spread

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals, limits and mounts as POSIX systems have them"),
]

DETECT = ferd(
    "ferd detect",
    ("mask.tif", "scores.tif"),
    *("detect", "{input}", "{out}/scores.tif", "--backend", "numpy"),
    *("--threshold", "count:20", "--mask-out", "{out}/mask.tif"),
)
ENHANCE = ferd("ferd enhance", ("cube.hdr", "cube.bsq"), "enhance", "{input}", "{out}/cube.bsq", "--backend", "numpy")
SHORT_POINTS, LONG_POINTS = 4, 20


class Undisturbed:
    """What a command gives, what it gave earlier with another scene, and the points that it passes."""

    def __init__(self, command: Command, scene: Sequence[Path], earlier: Sequence[Path], folder: Path) -> None:
        self.command, self.scene = command, scene
        self.points = self._run(scene, folder / "whole")
        self._run(earlier, folder / "earlier", name=scene)
        self.whole, self.earlier = hashes(folder / "whole"), hashes(folder / "earlier")
        self.earlier_folder = folder / "earlier"
        assert set(self.whole) == set(self.earlier) >= set(command.names)
        assert all(self.whole[name] != self.earlier[name] for name in command.names if not name.endswith(".hdr"))

    def _run(self, scene: Sequence[Path], target: Path, name: Sequence[Path] = ()) -> list[str]:
        with fresh_place(scene) as place:
            record = place.base / "points"
            end = self.command.run(place, record=record)
            assert end.code == 0, end.said
            shutil.copytree(place.out, target)
            return record.read_text().splitlines()


def survive(known: Undisturbed, fault: str, point: int, counts: Counts) -> None:
    """Run with a fault at a point, check what is left, run again and check that nothing tells of the fault."""
    command = known.command
    with fresh_place(known.scene) as place, ExitStack() as opened:
        if fault == "full" and not opened.enter_context(place.small_disk()):
            pytest.skip("this user may not mount a small file system")
        counts.add(fault)
        for file in known.earlier_folder.iterdir():
            shutil.copy(file, place.out)
        (place.out / "other.txt").write_text("not ours")
        before, before_other = hashes(place.scene.parent), hashes(place.out)["other.txt"]
        end = command.run(place, fault=fault, point=point)
        assert end.hit, f"{fault} at {point}: the run ended before ({end.code}): {end.said}"
        # The fault's own doing.
        (place.out / "filler").unlink(missing_ok=True)
        if fault in ("truncated", "spoiled"):
            for file in known.scene:
                shutil.copy(file, place.scene.parent)
        # QGIS keeps statistics of each raster that it opens in an .aux.xml beside it.
        after = hashes(place.scene.parent)
        assert {name: found for name, found in after.items() if not name.endswith(".aux.xml")} == before
        there = {name: found for name, found in hashes(place.out).items() if not name.startswith(".ferd-")}
        other = {"other.txt": before_other}
        whole, earlier = {**known.whole, **other}, {**known.earlier, **other}
        if fault == "removed":
            assert there in ({}, known.whole if end.code == 0 else {})
            place.out.mkdir(exist_ok=True)
        else:
            assert "other.txt" in there
            # QGIS installs no handlers, so that any signal ends it at once.
            at_once = fault == "SIGKILL" or (fault in SIGNALS and not command.is_ferd)
            if at_once or " are kept in " in end.said or end.wordless:
                # Between two renames some may be absent, but old ones never stand beside new ones.
                assert any(there.items() <= state.items() for state in (whole, earlier)), there
            else:
                assert there in (whole, earlier), (there, end.said)
        late = point > max(index for index, name in enumerate(known.points, start=1) if name.startswith("os.rename"))
        is_whole = known.whole.items() <= there.items() or (fault == "removed" and late and end.code == 0)
        check_end(command, fault, end, is_whole)
        again = command.run(place)
        assert again.code == 0, again.said
        left = hashes(place.out)
        left.pop("other.txt", None)
        assert left == known.whole
        assert not list(place.out.glob(".ferd-*"))
    counts.add_survived(fault, wordless=end.wordless)


def survive_all(known: Undisturbed, fault: str, points: Sequence[int], counts: Counts) -> None:
    """Try a fault at each of the points, as many at a time as there are cores: each run has folders of its own."""
    with ThreadPoolExecutor(available_threads()) as pool:
        for tried in [pool.submit(survive, known, fault, point, counts) for point in points]:
            tried.result()


@pytest.fixture(scope="module")
def runs(
    tiff_scene: Sequence[Path], envi_scene: Sequence[Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Undisturbed]:
    """Detection of a compressed GeoTIFF, and enhancement of an ENVI file to an ENVI file."""
    from tests.engine.rasters import cube, write_envi, write_tiff

    old = tmp_path_factory.mktemp("earlier")
    old_tiff = write_tiff(old / "scene.tif", cube(223, 101, 60, "int16", seed=5))
    old_envi = write_envi(old / "scene.bsq", cube(223, 101, 60, "int16", seed=5))
    return {
        "detect": Undisturbed(DETECT, tiff_scene, [old_tiff], tmp_path_factory.mktemp("detect")),
        "enhance": Undisturbed(
            ENHANCE, envi_scene, [old_envi, old_envi.with_suffix(".hdr")], tmp_path_factory.mktemp("enhance")
        ),
    }


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("task", ["detect", "enhance"])
def test_the_command_survives(
    task: str, fault: str, runs: dict[str, Undisturbed], counts: Counts, is_long: bool
) -> None:
    known = runs[task]
    if task == "enhance" and fault == "spoiled":
        pytest.skip("an uncompressed file has no block that cannot be decoded")
    count = LONG_POINTS if is_long else SHORT_POINTS
    # Before the command sets its handlers, signals find Python's own answers and nothing begun.
    first = known.points.index("import cli") if fault in SIGNALS else 0
    # Another part of the run for each kind, so that the short form covers it as well.
    points = spread(len(known.points) - first, count, (FAULTS.index(fault) + 0.5) / len(FAULTS))
    survive_all(known, fault, [first + point for point in points], counts)


@pytest.mark.parametrize("fault", ["SIGKILL", "SIGTERM", "removed", "denied"])
@pytest.mark.parametrize("task", ["detect", "enhance"])
def test_between_the_renames(
    task: str, fault: str, runs: dict[str, Undisturbed], counts: Counts, is_long: bool
) -> None:
    known = runs[task]
    points = [index for index, name in enumerate(known.points, start=1) if name.startswith("os.rename")]
    assert len(points) >= len(known.command.names)
    survive_all(known, fault, points if is_long else points[:: max(len(points) // 2, 1)], counts)


def test_an_interrupt_while_the_command_loads_is_one_sentence(runs: dict[str, Undisturbed]) -> None:
    known = runs["detect"]
    point = known.points.index("import cli") + 1
    for fault in ("SIGTERM", "SIGINT"):
        with fresh_place(known.scene) as place:
            end = known.command.run(place, fault=fault, point=point)
        assert (end.code, end.said) == (130, "ferd: Interrupted; nothing was written.\n")


def test_points_are_spread_over_the_run(runs: dict[str, Undisturbed]) -> None:
    for known in runs.values():
        names = " ".join(known.points)
        assert len(known.points) >= 40
        for part in ("import ", "progress Reading", "progress FEN", "os.mkdir", "os.rename"):
            assert part in names, names
