"""The section `claim`: what someone reported of an experiment, and where our figure is measured."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from ldl.errors import SettingError
from ldl.fields import Doc, NonNegative, Size

Sense = Literal["at_least", "at_most", "near", "shown"]
ID: Final = re.compile(r"[a-z]+[0-9]+")
BOUNDS: Final = ("at_least", "at_most")
OTHERS: Final = ("less_than", "greater_than", "same_as")


@dataclass(frozen=True, kw_only=True)
class ClaimedMetric:
    """One figure of a claim: what was reported, where ours is measured, and how ours is judged.

    `measured` is a dotted path into results.json (`classification.accuracy`), or
    `metrics.COLUMN.WHICH`, or `epochs`, `best_epoch`, `seconds` (of training),
    `samples_per_second`, or of the network `parameters`, and by layer `parameters.LAYER`,
    `outputs.LAYER` (values a sample), `receptive_field.LAYER`; true and false count as 1 and 0.
    WHICH is first, last, best, kept (of the epoch whose weights were kept), min, max, wobble (the
    mean change from one epoch to the next in the second half), `at:EPOCH`, or `until:VALUE` (the
    first epoch that gets there).

    Ours is judged in one of these ways; nothing said means at least the claimed number:
    `sense`, against the claimed number; `at_least` and `at_most`, against a number of their own;
    `less_than`, `greater_than`, `same_as`, against the same figure of another file, named without
    .yaml; `sense: shown` for a figure that is not judged.
    """

    name: Annotated[str, Doc("what the report calls it")]
    measured: Annotated[str, Doc("where ours stands in the run")]
    claimed: Annotated[
        float | str | None, Doc("as it was reported; text where it was no number")
    ] = None
    sense: Annotated[Sense | None, Doc("of ours to the claimed number")] = None
    at_least: float | None = None
    at_most: float | None = None
    within: Annotated[
        NonNegative, Doc("how far from the limit ours may fall; near with 0 is exactly")
    ] = 0.0
    less_than: Annotated[
        str | None, Doc("another file, without .yaml, by whose figure ours is judged")
    ] = None
    greater_than: str | None = None
    same_as: str | None = None
    theirs: Annotated[
        str | None, Doc("the path in that other file's run; null: the same as `measured`")
    ] = None
    by: Annotated[NonNegative, Doc("how much less or greater ours has to be")] = 0.0
    minus: Annotated[str | None, Doc("a path whose value is taken off ours (and theirs)")] = None
    unit: Annotated[str, Doc("what stands behind the numbers")] = ""

    def __post_init__(self) -> None:
        """Refuse a figure with two ways of being judged, or with none."""
        ways = [key for key in ("sense", *OTHERS) if getattr(self, key) is not None]
        bounds = [key for key in BOUNDS if getattr(self, key) is not None]
        ways += bounds[:1]
        if len(ways) > 1:
            raise SettingError(ways[1], f"does not go with {ways[0]}: choose one")
        if self.other is None and (self.theirs is not None or self.by):
            key = "by" if self.by else "theirs"
            raise SettingError(key, f"needs {', '.join(OTHERS[:-1])} or {OTHERS[-1]}")
        if self.sense != "shown" and not bounds and not self.other and not self.is_number:
            reason = "is no number: say at_least, at_most, less_than …, or `sense: shown`"
            raise SettingError("claimed", reason)

    @property
    def is_number(self) -> bool:
        """Whether a number was claimed."""
        return isinstance(self.claimed, float)

    @property
    def other(self) -> str | None:
        """The file whose figure ours is judged by."""
        return self.less_than or self.greater_than or self.same_as


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What was reported of this experiment; `ldl report` holds our figures against it.

    Several files may bear the same id, each with its `case`; the claim is met when the figures of
    all of them are. A file with `fault` (it reproduces a mistake of the original on purpose) or
    with `evidence` (it shows why a figure differs) is shown beside them and not counted.
    A file that extends another inherits its claim, key by key: `fault: null` takes one back.
    """

    id: Annotated[str, Doc("the report's letter and a number, such as a5")]
    what: Annotated[str, Doc("in a line")]
    case: Annotated[str, Doc("what tells this file from others of the same id")] = ""
    where: Annotated[str, Doc('in the report, such as "section 5.3, figure 9"')] = ""
    figures: list[ClaimedMetric] = field(default_factory=list)
    outcome: Annotated[str, Doc("what was claimed in words; judged by the figures")] = ""
    because: Annotated[str, Doc("why ours may differ")] = ""
    time: Annotated[str, Doc("theirs, as reported")] = ""
    fault: Annotated[str | None, Doc("the mistake of the original that this file reproduces")] = (
        None
    )
    evidence: Annotated[str | None, Doc("what this file shows about the claim")] = None
    seeds: Annotated[Size, Doc("so many runs, with the seeds `seed`, `seed` + 1, …")] = 1
    after: Annotated[
        str | None, Doc("another file, without .yaml: train on from that one's weights")
    ] = None
    shows: Annotated[
        list[str] | None, Doc("pictures, such as loss or contingency/*; null: the first six")
    ] = None
    quick: Annotated[
        list[str] | None, Doc("overrides of the quick profile; null: it leaves the file out")
    ] = None

    def __post_init__(self) -> None:
        """Refuse an id that no report could have."""
        if not ID.fullmatch(self.id):
            raise SettingError(
                "id", f"is a report's letter and a number, such as a5, not {self.id}"
            )
        if self.fault and self.evidence:
            raise SettingError("evidence", "does not go with fault: choose one")

    @property
    def counted(self) -> bool:
        """Whether this file is judged, and not only shown beside those that are."""
        return self.fault is None and self.evidence is None
