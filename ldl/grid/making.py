"""Settings become trials: a seed each, named by configuration, data and version."""

from __future__ import annotations

from ldl.data import ProgressCallback
from ldl.execute.transfer import pretrained_digest
from ldl.grid.settle import Setting, hashed
from ldl.grid.trial import Trial


class Maker:
    """Makes the trials of settings; reads what they start from once, for its SHA-256."""

    def __init__(self, seeds: range, progress: ProgressCallback | None = None) -> None:
        self.seeds = seeds
        self._progress = progress
        self._digests: dict[tuple[str, int], str] = {}
        self._donors: dict[str | None, str] = {}

    def trials(self, setting: Setting, before: Setting | None = None) -> list[Trial]:
        """A trial for each seed; each goes on from that of the setting `before`."""
        shared = hashed(setting.yaml(), self._digest(setting, self.seeds[0]))
        return [
            Trial(
                id=self.name(setting, seed),
                setting=shared,
                number=setting.number,
                seed=seed,
                values=dict(setting.values),
                yaml=setting.yaml(seed),
                after=None if before is None else self.name(before, seed),
            )
            for seed in self.seeds
        ]

    def name(self, setting: Setting, seed: int) -> str:
        """The id of a trial. Raises DataError where the data cannot be read."""
        return hashed(setting.yaml(seed), self._digest(setting, seed))

    def _digest(self, setting: Setting, seed: int) -> str:
        """SHA-256 of the data, of which what is drawn depends on the seed, and of `start_from`."""
        place, start = (repr(setting.source), seed), setting.start_from
        if place not in self._digests:
            self._digests[place] = setting.source.read(seed, self._progress).sha256()
        if start not in self._donors:
            self._donors[start] = pretrained_digest(start)
        return self._digests[place] + self._donors[start]
