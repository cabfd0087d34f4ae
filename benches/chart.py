"""Draws a bar chart as SVG, in colours that are readable on white and on black."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, ROW, TOP = 720, 170, 430, 34, 44
TEXT, OURS, OTHERS = "#757575", "#2f81f7", "#8c959f"
LONGEST = 4
"""The longest bar is cut if it is more than this many times as long as the second longest."""


def svg(title: str, bars: Sequence[tuple[str, float]], highlighted: str) -> str:
    """One bar for each name and value."""
    values = sorted(value for _, value in bars)
    full = values[-1] if values[-1] <= LONGEST * values[-2] else 1.25 * values[-2]
    height = TOP + ROW * len(bars) + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="14" fill="{TEXT}">',
        f"<title>{escape(title)}</title>",
        f'<text x="0" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (name, value) in enumerate(bars):
        lines += _bar(TOP + ROW * number, name, value, full, OURS if name == highlighted else OTHERS)
    return "\n".join([*lines, "</svg>", ""])


def _bar(y: int, name: str, value: float, full: float, colour: str) -> list[str]:
    length = BAR * min(1, value / full)
    lines = [
        f'<text x="{LABEL - 10}" y="{y + 17}" text-anchor="end">{escape(name)}</text>',
        f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="24" fill="{colour}"/>',
    ]
    shown = f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    if value > full:
        shown += " (cut)"
        x = LABEL + BAR - 40
        lines.append(f'<path d="M{x} {y + 28} l8 -32 M{x + 8} {y + 28} l8 -32" stroke="{TEXT}" stroke-width="2"/>')
    lines.append(f'<text x="{LABEL + length + 8:.1f}" y="{y + 17}">{shown}</text>')
    return lines
