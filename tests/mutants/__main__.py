"""`python -m tests.mutants`: change single tokens at random, and see whether the tests notice.

Places are drawn evenly from all operators, comparisons, numbers, `and`, `or`, `not`, True, False,
`min` and the like of the chosen packages. One of the changes possible there is made in a copy of
the tree, and those tests of the package run that execute the line, until one fails. A change that
leads into an endless loop or takes all memory is noticed too. The same seed on the same files
draws the same changes.

mutmut and cosmic-ray draw no samples; the first changes no defaults of dataclasses, the second
changes type annotations and runs one command for all files.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scipy.stats import binomtest

from tests.mutants.changes import Change, Place, find_places
from tests.mutants.room import Room
from tests.mutants.trial import notices, preload

ROOMS = ("engine", "train", "data", "evaluate", "grid", "runs", "compile", "execute")
EQUIVALENT = Path(__file__).with_name("equivalent.txt")


def main() -> None:
    """Draw changes, try each, print what became of it, then the share that tests noticed."""
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="ldl-mutants-") as folder:
        copy = copy_tree(Path(folder).resolve() / "tree")
        rooms = {name: Room(name, copy) for name in arguments.rooms}
        preload()
        if arguments.only:
            changes = parse_changes(arguments.only, copy)
        else:
            changes = draw(list(rooms.values()), arguments.sample, arguments.seed)
        for room in {change.place.path.split("/")[1] for change in changes}:
            rooms[room].measure()
            control(rooms[room])
        survivors = {
            change: known_reason(change, copy)
            for change in changes
            if not noticed(change, copy, rooms)
        }
    report(len(changes), survivors)


def control(room: Room) -> None:
    """Raise SystemExit if tests fail without a change in the way that changes are tried."""
    quick = sorted(room.tests, key=lambda test: room.tests[test]["seconds"])[:20]
    if notices(room.copy, quick, 0.0):
        sys.exit(f"tests of {room.name} fail without a change")


def parse_arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--sample", type=int, default=100, help="number of changes")
    parser.add_argument("--seed", type=int, default=0, help="which changes")
    parser.add_argument("--rooms", nargs="*", default=ROOMS, choices=ROOMS, help="packages")
    parser.add_argument("--only", type=Path, help="a file with lines of an earlier output: those")
    return parser.parse_args()


def copy_tree(target: Path) -> Path:
    """A copy of the working tree without what git ignores, times of change included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(os.path.isfile, listed.stdout.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(name, target / name)
    return target


def draw(rooms: Sequence[Room], sample: int, seed: int) -> list[Change]:
    """`sample` places of the rooms, without repetition, and a change at each."""
    places = [
        place for room in rooms for path in sorted(room.files)
        for place in find_places(path, (room.copy / path).read_text())
    ]  # fmt: skip
    rng = random.Random(seed)
    return [Change(p, rng.choice(p.after)) for p in rng.sample(places, min(sample, len(places)))]


def parse_changes(path: Path, copy: Path) -> list[Change]:
    """The changes that the lines of an output name, as far as their places still exist."""
    changes: list[Change] = []
    for line in path.read_text().splitlines():
        word = next((word for word in line.split() if word.startswith("ldl/")), "")
        file = word.partition(":")[0]
        if word and (copy / file).exists():
            candidates = all_changes(find_places(file, (copy / file).read_text()))
            changes += [change for change in candidates if str(change) in line]
    return changes


def all_changes(places: Sequence[Place]) -> list[Change]:
    """Every change at the places."""
    return [Change(place, after) for place in places for after in place.after]


def noticed(change: Change, copy: Path, rooms: dict[str, Room]) -> bool:
    """Whether a test of the room fails with the change; prints the outcome."""
    path = copy / change.place.path
    room = rooms[change.place.path.split("/")[1]]
    tests = room.select(change.place.path, change.place.start[0])
    text, times = path.read_text(), path.stat()
    started = time.monotonic()
    path.write_text(change.apply(text))
    try:
        end = notices(copy, tests, sum(room.tests[test]["seconds"] for test in tests))
    finally:
        path.write_text(text)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    seconds = time.monotonic() - started
    print(f"{end or 'survived':8} {change}  [{len(tests)} tests, {seconds:.0f} s]", flush=True)
    return bool(end)


def known_reason(change: Change, copy: Path) -> str:
    """Why a change is known to alter nothing, from the file of those; "" for others.

    Each line holds path, source line, change (`*` for any number) and reason, separated by two
    bars, so that it stays valid where lines are added above.
    """
    source = (copy / change.place.path).read_text().splitlines()[change.place.start[0] - 1]
    changes = {f"{change.place.before} → {change.after}"}
    if change.place.before.isdigit():
        changes.add("*")
    for line in EQUIVALENT.read_text().splitlines():
        path, text, altered, reason = (field.strip() for field in line.split("||"))
        if (path, text) == (change.place.path, source.strip()) and altered in changes:
            return reason
    return ""


def report(tried: int, survivors: dict[Change, str]) -> None:
    """Print the survivors, with the reason of those that alter nothing, and the share noticed."""
    print(f"\n{len(survivors)} changes that no test notices:")
    for change, reason in survivors.items():
        print(f"  {change}  {reason and f'(alters nothing: {reason})'}")
    noticed = tried - len(survivors)
    interval = binomtest(noticed, tried).proportion_ci(0.95, "wilson")
    print(f"\n{noticed} of {tried} noticed ({interval.low:.0%} to {interval.high:.0%}); "
          f"{sum(map(bool, survivors.values()))} alter nothing")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
