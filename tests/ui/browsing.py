"""Pages looked at in a real browser at both ends of the screen sizes, on light and on dark paper."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import unescape

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (390, 1280)
INSPECTION = """
<!doctype html><meta charset="utf-8"><body style="margin:0"><script>
const visible = element => element.checkVisibility() && element.getClientRects().length > 0;
const backgroundOf = element => {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (colour !== "rgba(0, 0, 0, 0)") return colour;
  }
  return "none";
};
const drawnSize = element => {
  const matrix = element.getScreenCTM && element.getScreenCTM();
  return parseFloat(getComputedStyle(element).fontSize) * (matrix ? Math.hypot(matrix.a, matrix.b) : 1);
};
function inspect(frame) {
  const page = frame.contentDocument, root = page.documentElement;
  const texts = [...page.body.querySelectorAll("*")].filter(element => visible(element)
    && ![..."TITLE STYLE".split(" ")].includes(element.tagName.toUpperCase())
    && [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
  const overlaps = [];
  for (const figure of page.querySelectorAll("svg.axis")) {
    const boxes = [...figure.querySelectorAll("text")].filter(visible).map(text => text.getBoundingClientRect());
    boxes.sort((a, b) => a.left - b.left);
    for (let i = 1; i < boxes.length; i++)
      if (boxes[i].left < boxes[i - 1].right - 0.5) overlaps.push(figure.textContent.trim());
  }
  const outside = [...page.querySelectorAll("main *, header *")].filter(element => visible(element)
    && !element.closest(".scroll, pre") && element.getBoundingClientRect().right > root.clientWidth + 1);
  return {
    width: root.clientWidth, scroll: root.scrollWidth, overlaps,
    outside: outside.slice(0, 5).map(element => element.outerHTML.slice(0, 120)),
    smallest: Math.min(...texts.map(drawnSize)),
    contrasts: [...new Set(texts.map(element => {
      const style = getComputedStyle(element), drawn = element instanceof frame.contentWindow.SVGElement;
      return JSON.stringify([drawn ? style.fill : style.color, backgroundOf(element), element.className.toString()]);
    }))].map(JSON.parse),
    paper: getComputedStyle(page.body).backgroundColor,
    text: page.body.innerText,
    figures: page.querySelectorAll("svg, img").length,
    broken: [...page.images].filter(image => !image.complete || !image.naturalWidth).length,
    flat: [...page.querySelectorAll("main svg:not(.key svg)")].filter(figure => visible(figure)
      && figure.getBoundingClientRect().width < 40).length,
  };
}
const found = {}, widths = WIDTHS;
for (const width of widths) {
  const frame = document.createElement("iframe");
  frame.style = `border:0;display:block;height:900px;width:${width}px`;
  frame.src = "report.html";
  frame.onload = () => {
    found[width] = inspect(frame);
    if (Object.keys(found).length === widths.length) {
      const result = document.createElement("pre");
      result.id = "found";
      result.textContent = JSON.stringify(found);
      document.body.append(result);
    }
  };
  document.body.append(frame);
}
</script>
"""


@dataclass(frozen=True)
class Visit:
    """What the browser found at each width, and what it wrote to its console."""

    scheme: str
    found: dict[str, dict[str, object]]
    console: list[str]


def browser():
    for name in BROWSERS:
        path = shutil.which(name)
        if path:
            return path
    pytest.fail(f"no browser: install one of {', '.join(BROWSERS)}, such as with apt-get install chromium")


def look(page, scheme, profile):
    """Open a page called report.html on `scheme` paper; `profile` is an empty folder for the browser."""
    page.with_name("inspection.html").write_text(INSPECTION.replace("WIDTHS", json.dumps(WIDTHS)), encoding="utf-8")
    command = [
        *(browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
        *("--allow-file-access-from-files", "--enable-logging=stderr", "--window-size=1400,1000"),
        f"--user-data-dir={profile}",
        f"--blink-settings=preferredColorScheme={1 if scheme == 'light' else 0}",
        *("--virtual-time-budget=20000", "--dump-dom", page.with_name("inspection.html").as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    match = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match, f"the page was not inspected: {done.stderr[-2000:]}"
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Visit(scheme, json.loads(unescape(match[1])), console)


def luminance(colour):
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def weak_texts(page):
    """Texts that do not stand out from their paper, at least 4.5:1."""
    return [entry for entry in page["contrasts"] if contrast(entry[0], entry[1]) < 4.5]
