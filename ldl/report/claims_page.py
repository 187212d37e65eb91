"""The reproduced report as a page: a summary, then a section a document and a card a claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ldl.report import wording
from ldl.report.claim_files import Source
from ldl.report.markup import Content, Safe, code, details, join, prose, table, tag
from ldl.report.number_format import duration
from ldl.report.page import badge, facts, page
from ldl.report.plot_files import chosen, figure, small
from ldl.report.reproduce import Case, Reproduction, Result
from ldl.report.verdicts import Verdict

METHOD = (
    "Every file names the figures that it is judged by and where they are measured. Means over "
    "seeds are judged; ± is the standard deviation over seeds. What came of a mistake in the "
    "original is reproduced with that mistake, shown beside the sound experiment, and not counted."
)


def claims_page(reproduction: Reproduction, cache: Path, environment: dict[str, str]) -> str:
    """The whole page; pictures are made smaller and kept in `cache`."""
    titles = reproduction.titles
    sections = [_document(reproduction, letter, cache) for letter in reproduction.letters]
    return page(
        titles.title,
        tag("h1", titles.title),
        tag("p", titles.about, class_="lead") if titles.about else None,
        _quick(reproduction),
        _summary(reproduction),
        _filter(reproduction.tally),
        sections,
        _made_with(environment),
    )


def _quick(reproduction: Reproduction) -> Safe | None:
    if reproduction.profile != "quick":
        return None
    text = (
        "The quick profile: shortened runs on embedded data, to see that all works. No judgement."
    )
    return tag("aside", tag("p", text), class_="banner")


def _summary(reproduction: Reproduction) -> Safe:
    """The numbers, a bar of them, and every claim in a row."""
    found = reproduction.tally
    items = [
        tag("li", tag("b", str(count)), tag("span", word), class_=_class(word))
        for word, count in found.items()
    ]
    rows = [_row(result) for result in reproduction.results]
    columns = ("claim", "what", "claimed", "measured", "verdict")
    meanings = [
        tag("li", badge(word), " ", wording.MEANS[word]) for word in found if word in wording.MEANS
    ]
    return tag(
        "section",
        tag("h2", "Summary", id="summary"),
        tag("p", wording.tally(reproduction), "."),
        tag("ul", items, class_="tally"),
        _bar(found),
        table("Every claim, with the figure that tells its verdict", columns, rows, stacked=True),
        details(
            "How a verdict comes about", tag("p", METHOD), tag("ul", meanings, class_="meanings")
        ),
    )


def _filter(found: dict[Verdict, int]) -> Safe | None:
    """Which claims to show; a script makes it work, and without one it is not there."""
    if len(found) < 2:
        return None
    choices = [("all", "all"), *((word, word) for word in found)]
    labels = [
        tag(
            "label",
            tag("input", type="radio", name="verdict", value=value, checked=value == "all"),
            f" {text}",
        )
        for value, text in choices
    ]
    legend = tag("legend", "Show claims that are")
    return tag("fieldset", legend, labels, class_="filter", data_filter=True, hidden=True)


def _bar(found: dict[Verdict, int]) -> Safe:
    """The shares of the verdicts; told in words elsewhere."""
    whole, left, parts = sum(found.values()) or 1, 0.0, []
    for word, count in found.items():
        width = 100 * count / whole
        rect = tag(
            "rect",
            x=f"{left:.2f}%",
            y=0,
            width=f"{max(width - 0.3, 0.1):.2f}%",
            height=10,
            class_=_class(word),
        )
        parts.append(rect)
        left += width
    return tag("svg", parts, class_="share", aria_hidden="true")


def _class(word: str) -> str:
    return word.replace(" ", "-")


def _row(result: Result) -> list[Content]:
    claimed, measured = wording.headline(result)
    return [
        tag("a", result.id, href=f"#{result.id}"),
        result.what,
        claimed,
        measured,
        badge(result.verdict),
    ]


def _document(reproduction: Reproduction, letter: str, cache: Path) -> Safe:
    source = reproduction.titles.sources.get(letter, Source(letter, f"Report {letter}"))
    cards = [_card(result, cache) for result in reproduction.of(letter)]
    return tag(
        "section",
        tag("h2", f"{letter}. {source.title}", id=f"document-{letter}"),
        tag("p", source.about, class_="soft") if source.about else None,
        cards,
    )


def _card(result: Result, cache: Path) -> Safe:
    """One claim."""
    heading = tag("h3", tag("span", result.id, class_="id"), result.what)
    counted = wording.counts(result)
    verdict = tag("span", badge(result.verdict), f" {counted}" if counted else None, class_="soft")
    several = len(result.cases) > 1
    shared = wording.shared(result)
    return tag(
        "article",
        tag("header", heading, verdict),
        _words(shared),
        [_case(case, cache, several, shared) for case in result.cases],
        [_aside(case, cache, shared) for case in result.asides],
        class_="claim",
        id=result.id,
        data_verdict=result.verdict,
    )


def _words(told: Mapping[str, str]) -> list[Safe | None]:
    """The claim in words, why ours may differ, where it stands, how long it took there."""
    outcome, because = told.get("outcome"), told.get("because")
    places = facts([("in the report", told.get("where")), ("their time", told.get("time"))])
    return [
        tag("p", "“", outcome, "”", class_="said") if outcome else None,
        tag("p", tag("b", "Why ours may differ: "), prose(because)) if because else None,
        places,
    ]


def _aside(case: Case, cache: Path, shared: Mapping[str, str]) -> Safe:
    """A reproduced fault, or an experiment that shows why a figure differs."""
    claim = case.claim
    title = "A fault of the original, reproduced" if claim.fault else "An experiment on why"
    body = _case(case, cache, False, shared)
    return tag(
        "aside",
        tag("h4", title),
        tag("p", prose(claim.fault or claim.evidence or "")),
        body,
        class_="aside",
    )


def _case(case: Case, cache: Path, titled: bool, shared: Mapping[str, str]) -> Safe:
    """One file: its own words, the figures, our time, pictures, the configuration."""
    claim = case.claim
    own = {key: text for key, text in wording.told(case).items() if key not in shared}
    return tag(
        "section",
        tag("h4", claim.case or case.entry.stem, " ", badge(case.verdict)) if titled else None,
        _words(own),
        _figures(case),
        [tag("p", text, class_=_mood(case)) for text in _lines(wording.trouble(case))],
        facts([("our time", wording.ours_took(case)), ("seeds", wording.seeds(case))]),
        _pictures(case, cache),
        _configuration(case),
        class_="case",
    )


def _mood(case: Case) -> str:
    """An error stands out; what is only left out, or waits for its data, does not."""
    return "soft" if case.entry.problem and not case.entry.broken else "trouble"


def _lines(texts: Sequence[str]) -> list[Content]:
    """Texts whose line breaks count, such as messages with a caret."""
    return [
        join([text.split("\n", 1)[0], code(text, "The whole message")])
        if "\n" in text
        else prose(text)
        for text in texts
    ]


def _figures(case: Case) -> Safe | None:
    """Claimed and measured side by side."""
    if not case.claim.figures:
        return None
    judged = case.figures
    rows: list[list[Content]] = []
    for i, each in enumerate(case.claim.figures):
        mine = judged[i] if judged else None
        rows.append(
            [
                each.name,
                wording.claimed(each),
                wording.measured(mine) if mine else "–",
                wording.wanted(each),
                badge(mine.verdict if mine else case.verdict),
            ]
        )
    caption = f"Figures of {case.entry.stem}"
    columns = ("figure", "claimed", "measured", "judged by", "verdict")
    return table(caption, columns, rows, stacked=True)


def _pictures(case: Case, cache: Path) -> Safe | None:
    """Those of the first seed."""
    if not case.runs:
        return None
    found = chosen(case.runs[0].run, case.claim.shows)
    what = case.claim.what + (f", {case.claim.case}" if case.claim.case else "")
    shown = [
        figure(
            small(each, cache), each.title, f"{each.title}: {what}, seed {case.entry.jobs[0].seed}"
        )
        for each in found
    ]
    return (
        tag("div", shown, class_="pictures" if len(shown) > 1 else "pictures few")
        if shown
        else None
    )


def _configuration(case: Case) -> Safe | None:
    """The file as it is written, and what it extends."""
    texts = case.entry.texts
    if not texts:
        return None
    shown = []
    for name, text in texts.items():
        file = Path(name).name
        shown.append(join([tag("p", tag("code", file)), code(text, f"The file {file}")]))
    quick = ", ".join(case.entry.overrides)
    changed = tag("p", "Changed by the quick profile: ", tag("code", quick)) if quick else None
    names = ", ".join(each.run.name for each in case.runs)
    made = tag("p", "Runs: ", tag("code", names), class_="soft") if names else None
    return details(f"Configuration {case.entry.path.name}", changed, shown, made)


def _made_with(environment: dict[str, str]) -> Safe | None:
    if not environment:
        return None
    return tag("section", tag("h2", "Made with"), facts(list(environment.items())))


def total_time(reproduction: Reproduction) -> str:
    """The time of all runs together."""
    known = {
        each.run.path: each.status.seconds
        for result in reproduction.results
        for case in (*result.cases, *result.asides)
        for each in case.runs
    }
    return duration(sum(known.values()))
