"""The pages in Chromium: no error, no request, readable on a phone, in dark and light, by keyboard.

Screenshots go to the folder that LDL_SCREENSHOTS names.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from ldl.config import read
from ldl.execute import Callbacks, prepare, train
from ldl.plots import draw
from ldl.report.claim_files import ClaimFolder, read_report_titles
from ldl.report.comparison_page import comparison_page
from ldl.report.publish import publish
from ldl.report.reproduce import Reproduction, evaluate_claims, run_missing
from ldl.report.run_page import write_run_page
from ldl.runs.comparison import compare_runs

from .helpers import experiment

pytestmark = pytest.mark.browser

DIGITS = """\
name: digits with a rather long name_that_cannot_be_broken_into_pieces
data: {source: digits, scale: minmax}
network: [{linear: 8}, tanh, linear]
train: {epochs: 30}
"""
PAGES = ("run", "comparison", "claims")
WIDTHS = (360, 768, 1280)
# Relative luminance and contrast ratio. Source: WCAG 2.2, success criterion 1.4.3.
CONTRAST = """
const parse = (c) => c.match(/[\\d.]+/g).map(Number);
const light = (c) => {
  const [r, g, b] = c.slice(0, 3).map((v) => {
    v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const bad = [];
const texts = "h1,h2,h3,h4,p,dt,dd,th,td,a,li,summary,figcaption,caption,.badge,label,legend";
for (const element of document.querySelectorAll(texts)) {
  if (!element.textContent.trim() || !element.checkVisibility()) continue;
  if (element.closest(".skip") || element.matches(".zero")) continue;
  const style = getComputedStyle(element);
  const pair = [light(parse(style.color)), light(behind(element))].sort((a, b) => b - a);
  const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
  const failure = [element.tagName, element.className, element.textContent.slice(0, 30), ratio];
  if (ratio < 4.5) bad.push(failure);
}
return bad;
"""
WIDE = """
const wide = [];
for (const element of document.querySelectorAll("main *")) {
  if (element.closest(".scroll, pre, svg")) continue;
  const box = element.getBoundingClientRect();
  if (box.width && box.right > document.documentElement.clientWidth + 1) {
    wide.push([element.tagName, element.className, box.right]);
  }
}
return wide;
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of each kind: of a run, of a comparison, of claims."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "digits.yaml").write_text(DIGITS)
    callbacks = Callbacks(draw=draw)
    runs = [
        train(prepare(folder / "digits.yaml", words), folder / "runs", callbacks)
        for words in ([], ["optimizer={adam: 0.02}"])
    ]
    comparison = folder / "comparison.html"
    compared = compare_runs(runs, lambda path: {"file": str(read(path).tree.mark)})
    comparison.write_text(comparison_page(compared, runs))
    return {"run": write_run_page(runs[0]), "comparison": comparison, "claims": _claims(folder)}


def _claims(folder: Path) -> Path:
    """A report with a claim of every verdict."""
    claims, root = folder / "claims", folder / "claimed"
    judged = "metrics: [{{name: R² of the fit on the test split, measured: {}, claimed: {}}}]"
    for name, path, claimed in (
        ("a1", "regression.r2", 0.1),
        ("a2", "regression.r2", 2),
        ("b1", "regression.a_rather_long_name_that_is_nowhere", 0),
    ):
        text = f"id: {name}\nwhat: a line through points\nbecause: see `x`\n"
        experiment(claims, name, f"{text}{judged.format(path, claimed)}", epochs=60)
    fault = f"id: a1\nwhat: x\nfault: twice\n{judged.format('regression.r2', 2)}"
    experiment(claims, "a1-fault", fault)
    (claims / "report.toml").write_text('title = "Redone"\n[sources.b]\ntitle = "B"\nclaims = 2\n')
    files, titles = ClaimFolder(claims).files("faithful"), read_report_titles(claims)
    known = run_missing(files, root, 2, lambda missing, total: None, lambda job, run: None)
    results = evaluate_claims(files, known, titles, True)
    publish(Reproduction(titles, "full", results), root, "report", "")
    return root / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; without it the tests fail with a message."""
    names = ("chromium", "chromium-browser", "google-chrome")
    binary = next((path for name in names if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.fail("these tests need Chromium and chromedriver")
    options = Options()
    options.binary_location = binary
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chromium = webdriver.Chrome(options=options, service=Service(driver))
    yield chromium
    chromium.quit()


def show(browser: Any, page: Path, width: int = 1280, scheme: str = "light") -> None:
    """Open a page at this width."""
    preferences = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in preferences.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(page.as_uri())


def keep(browser: Any, name: str) -> None:
    """Save a screenshot of the whole page, if LDL_SCREENSHOTS names a folder."""
    folder = os.environ.get("LDL_SCREENSHOTS")
    if folder:
        height = min(browser.execute_script("return document.documentElement.scrollHeight"), 6000)
        size = browser.execute_script("return innerWidth")
        screen = {"width": size, "height": height, "deviceScaleFactor": 1, "mobile": size < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        browser.save_screenshot(str(Path(folder) / f"{name}.png"))


@pytest.mark.parametrize("name", PAGES)
def test_no_error_and_no_request(name: str, browser: Any, pages: dict[str, Path]) -> None:
    """The console is empty, and only the file itself is requested."""
    show(browser, pages[name])
    assert browser.get_log("browser") == []
    script = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    assert [url for url in browser.execute_script(script) if not url.startswith("data:")] == []
    requested = []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            requested.append(message["params"]["request"]["url"])
    assert [url for url in requested if not url.startswith(("data:", "about:"))] == [
        pages[name].as_uri()
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_readable(name: str, width: int, scheme: str, browser: Any, pages: dict[str, Path]) -> None:
    """Nothing overflows the page, and every text has enough contrast."""
    show(browser, pages[name], width, scheme)
    size = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    whole, seen = browser.execute_script(size)
    assert whole <= seen <= width
    assert browser.execute_script(WIDE) == []
    assert browser.execute_script(CONTRAST) == []
    keep(browser, f"{name}-{width}-{scheme}")


@pytest.mark.parametrize("name", PAGES)
def test_printed_in_black_on_white(name: str, browser: Any, pages: dict[str, Path]) -> None:
    """Also with a dark colour scheme."""
    show(browser, pages[name], 1280, "dark")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    script = "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    assert browser.execute_script(script) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
    assert len(printed) > 10_000
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def focused(browser: Any, text: str) -> Any:
    """Press Tab until the focused element's class or tag contains the text."""
    for _ in range(200):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        element = browser.switch_to.active_element
        if text in f"{element.tag_name} {element.get_attribute('class')}":
            return element
    raise AssertionError(f"Tab never comes to {text}")


def test_a_chart_is_read_by_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    """Tab focuses the chart, arrows move through the epochs, Escape hides the values."""
    show(browser, pages["run"])
    area = focused(browser, "area")
    assert area.value_of_css_property("outline-style") == "solid"
    assert area.get_attribute("role") == "slider"
    last = area.get_attribute("aria-valuetext")
    assert last.startswith("epoch 30")
    ActionChains(browser).send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT).perform()
    text = area.get_attribute("aria-valuetext")
    assert text.startswith("epoch 28") and "training" in text and "validation" in text
    note = area.find_element(By.CLASS_NAME, "note")
    assert note.is_displayed() and "epoch 28" in note.text
    ActionChains(browser).send_keys(Keys.HOME).perform()
    assert area.get_attribute("aria-valuetext").startswith("epoch 1,")
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert not note.is_displayed()


@pytest.mark.parametrize("width", [360, 1280])
def test_a_chart_is_read_by_pointer(width: int, browser: Any, pages: dict[str, Path]) -> None:
    """The values of the nearest epoch are shown within the page while the pointer is over it."""
    show(browser, pages["run"], width)
    area = browser.find_element(By.CLASS_NAME, "area")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", area)
    half = area.size["width"] // 2
    for shift in (-half + 2, 0, half - 2):
        ActionChains(browser).move_to_element_with_offset(area, shift, 0).perform()
        note = area.find_element(By.CLASS_NAME, "note")
        assert note.is_displayed() and note.text.startswith("epoch")
        box = note.rect
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
    ActionChains(browser).move_by_offset(0, 300).perform()
    assert not area.find_element(By.CLASS_NAME, "note").is_displayed()


def test_claims_are_filtered(browser: Any, pages: dict[str, Path]) -> None:
    """By verdict; a link in the summary shows a hidden claim."""
    show(browser, pages["claims"])
    cards = browser.find_elements(By.CLASS_NAME, "claim")
    assert len(cards) == 4 and all(card.is_displayed() for card in cards)
    browser.find_element(By.CSS_SELECTOR, "input[value='not reproduced']").click()
    assert [card.get_attribute("id") for card in cards if card.is_displayed()] == ["a2"]
    browser.find_element(By.CSS_SELECTOR, "td a, th a").click()
    assert browser.find_element(By.ID, "a1").is_displayed()


def test_a_plot_is_enlarged(browser: Any, pages: dict[str, Path]) -> None:
    """By pointer and by keyboard, and reduced again."""
    show(browser, pages["claims"])
    image = browser.find_element(By.CSS_SELECTOR, ".plots:not(.few) img")
    before = image.size["width"]
    image.click()
    assert image.size["width"] > 1.5 * before and image.get_attribute("aria-expanded") == "true"
    image.send_keys(Keys.ENTER)
    assert image.size["width"] == before and image.get_attribute("aria-expanded") == "false"


def test_without_a_script(browser: Any, pages: dict[str, Path]) -> None:
    """Curves with their description and all claims are shown, the filter is hidden."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, pages["run"])
        assert browser.find_elements(By.CSS_SELECTOR, ".area svg[role=img][aria-label] path")
        show(browser, pages["claims"])
        assert len(browser.find_elements(By.CLASS_NAME, "claim")) == 4
        assert browser.find_element(By.CLASS_NAME, "filter").get_attribute("hidden") is not None
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_an_injected_script_does_not_run(
    browser: Any, pages: dict[str, Path], tmp_path: Path
) -> None:
    """The policy blocks a script that was not escaped."""
    text = pages["run"].read_text()
    evil = "<script>window.evil = 1</script><img src=x onerror='window.evil = 2'>"
    page = tmp_path / "evil.html"
    page.write_text(text.replace('<main id="content">', f'<main id="content">{evil}'))
    show(browser, page)
    assert browser.execute_script("return window.evil") is None
