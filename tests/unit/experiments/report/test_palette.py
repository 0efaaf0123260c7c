"""Colours tell strategies and jobs apart for all readers, on either paper."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from experiments.report import palette

STYLE = Path(palette.__file__).parent / "html" / "templates" / "style.css.j2"
READERS = {
    "trichromats": np.eye(3),
    "protanopes": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopes": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopes": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""What they see of linear RGB, by the model of Machado, Oliveira and Fernandes (2009) at full severity."""

TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
PALETTES = {"strategies": palette.STRATEGIES, "jobs": palette.JOBS}


def linear(colour):
    channels = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    ratio = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(first, second):
    darker, lighter = sorted(TO_XYZ[1] @ linear(colour) + 0.05 for colour in (first, second))
    return lighter / darker


def backgrounds(paper):
    """Colours of the paper and of what bars are drawn on."""
    light, dark = STYLE.read_text().split("prefers-color-scheme: dark")
    rules = light if paper == "light" else dark
    return re.findall(r"--(?:paper|track): (#\w{6})", rules)


@pytest.mark.parametrize("paper", ["light", "dark"])
@pytest.mark.parametrize("name", PALETTES)
def test_colours_stand_out_from_what_they_are_drawn_on(name, paper):
    for tint, background in itertools.product(PALETTES[name], backgrounds(paper)):
        assert contrast(getattr(tint, paper), background) >= 3, (tint, background)


@pytest.mark.parametrize("paper", ["light", "dark"])
def test_words_for_the_state_of_runs_are_legible(paper):
    light, dark = STYLE.read_text().split("prefers-color-scheme: dark")
    rules = light if paper == "light" else dark
    words = re.findall(r"--(?:good|warn|bad|simulated): (#\w{6})", rules)
    assert len(set(words)) == 4
    (background,) = re.findall(r"--paper: (#\w{6})", rules)
    assert min(contrast(word, background) for word in words) >= 4.5


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("paper", ["light", "dark"])
@pytest.mark.parametrize("name", PALETTES)
def test_colours_are_told_apart_by_all_readers(name, paper, reader):
    seen = [lab(READERS[reader] @ linear(getattr(tint, paper))) for tint in PALETTES[name]]
    assert min(np.linalg.norm(first - second) for first, second in itertools.combinations(seen, 2)) >= 20


def test_strategies_that_share_a_colour_have_other_dashes_and_hatches():
    places = range(len(palette.STRATEGIES) * len(palette.DASHES))
    assert len(palette.DASHES) == len(palette.HATCHES)
    for second_mark in (palette.strategy_dashes, palette.strategy_hatch):
        marks = [(palette.strategy_colour(place), second_mark(place)) for place in places]
        assert len(set(marks)) == len(marks)
