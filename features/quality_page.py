"""The quality report as one page that needs nothing else: no network, no scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from features.coverage import Coverage
from features.health import FeatureHealth
from features.quality import Feed, Finding, QualityReport

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
       color: #222; background: #fff; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #ddd;
         vertical-align: middle; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.finding { color: #8a3b00; font-weight: 600; }
.fine { color: #555; }
rect { fill: #0072b2; } /* Okabe and Ito's palette, told apart by the colour-blind too */
rect.before { fill: none; stroke: #d55e00; stroke-width: 1.5; }
line.limit { stroke: #d55e00; stroke-width: 1.5; stroke-dasharray: 4 3; }
svg text { font: 12px system-ui, sans-serif; fill: #222; }
"""
_WIDTH, _HEIGHT = 160, 36
_MOST_DRIFTED = 15


def quality_page(report: QualityReport) -> str:
    """The whole page, HTML."""
    flagged = {finding.subject for finding in report.findings}
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Features as of {report.as_of:%Y-%m-%d}</title><style>{_STYLE}</style>",
        f"<h1>Features as of {report.as_of:%Y-%m-%d %H:%M} UTC</h1>",
        _compared(report),
        _findings(report.findings),
        "<h2>Feeds</h2>",
        _feeds(report.feeds, flagged),
        _behind(report),
        "<h2>Coverage</h2>",
        _coverage(report.coverage, flagged),
        _drift(report),
    ]
    for view in dict.fromkeys(health.view for health in report.features):
        own = [health for health in report.features if health.view == view]
        parts += [f"<h2>{escape(view)}</h2>", _features(own, flagged)]
    parts += [_absent(report), "</html>"]
    return "\n".join(parts)


def _compared(report: QualityReport) -> str:
    if not report.reference:
        return "<p>Not compared with anything: no earlier moment was given or built.</p>"
    moments = ", ".join(f"{moment:%Y-%m-%d}" for moment in report.reference)
    return (
        f"<p>Compared with {escape(report.compared_with)}: the features as of {moments}. "
        "In the pictures, bars are now and outlines are then.</p>"
    )


def _findings(findings: Iterable[Finding]) -> str:
    listed = [
        f"<li><b>{escape(finding.subject)}</b>: {escape(finding.text)}</li>" for finding in findings
    ]
    if not listed:
        return '<p class="fine">No findings.</p>'
    return f'<ul class="finding">{"".join(listed)}</ul>'


def _feeds(feeds: Iterable[Feed], flagged: set[str]) -> str:
    rows = [
        [
            _marked(feed.table, flagged),
            f"{feed.rows:,}",
            "never" if feed.newest is None else f"{feed.newest:%Y-%m-%d %H:%M}",
            "" if feed.age_days is None else f"{feed.age_days:.1f}",
        ]
        for feed in feeds
    ]
    return _table(["table", "rows", "newest", "age, days"], rows, numbers={1, 3})


def _behind(report: QualityReport) -> str:
    if not report.behind_days:
        return '<p class="fine">No event is later than these features.</p>'
    return f"<p>The newest event is {report.behind_days:.1f} days later than these features.</p>"


def _coverage(covered: Iterable[Coverage], flagged: set[str]) -> str:
    rows = [
        [
            _marked(one.name, flagged),
            escape(one.text),
            f"{one.count:,}",
            f"{one.of:,}",
            f"{one.share:.1%}",
            _bars([(one.share, None)], 1.0, f"share of {escape(one.name)}", across=True),
        ]
        for one in covered
    ]
    return _table(["members", "who", "count", "of", "share", ""], rows, numbers={2, 3, 4})


def _drift(report: QualityReport) -> str:
    """The features that drifted most, as bars beside the limit."""
    drifted = [(health.psi, health) for health in report.features if health.psi is not None]
    drifted.sort(key=lambda one: -one[0])
    shown = drifted[:_MOST_DRIFTED]
    if not shown:
        return ""
    limit = report.limits.psi
    scale = 400 / max(shown[0][0], limit * 1.2)
    lines = "".join(
        f'<text x="0" y="{22 * n + 15}">{escape(health.subject)}</text>'
        f'<rect x="220" y="{22 * n + 3}" width="{psi * scale:.1f}" height="16"/>'
        f'<text x="{224 + psi * scale:.1f}" y="{22 * n + 15}">{psi:.2f}</text>'
        for n, (psi, health) in enumerate(shown)
    )
    height, place = 22 * len(shown), 220 + limit * scale
    return (
        f"<h2>Drift</h2><p>Stability index (PSI) of the {len(shown)} features that drifted most; "
        f"the dashed line is the limit, {limit:g}.</p>"
        f'<svg role="img" aria-label="drift by feature" width="680" height="{height}">{lines}'
        f'<line class="limit" x1="{place:.1f}" x2="{place:.1f}" y1="0" y2="{height}"/></svg>'
    )


def _features(features: Iterable[FeatureHealth], flagged: set[str]) -> str:
    rows = [
        [
            _marked(health.subject, flagged),
            f"{health.missing:.1%}",
            "" if health.psi is None else f"{health.psi:.3f}",
            _picture(health),
            _range(health),
        ]
        for health in features
    ]
    return _table(["feature", "missing", "drift (PSI)", "spread", "range"], rows, numbers={1, 2})


def _range(health: FeatureHealth) -> str:
    if health.values is not None:
        return ", ".join(f"{escape(v)} {share:.0%}" for v, share in health.values.items())
    if health.low is None:
        return "no values"
    return f"{health.low:,.4g} to {health.high:,.4g}, middle {health.middle:,.4g}"


def _picture(health: FeatureHealth) -> str:
    """Shares by bin for a number, by value for a category; then as outlines beside now as bars."""
    if health.values is None:
        before = health.histogram_before or (None,) * len(health.histogram)
        shares = list(zip(health.histogram, before, strict=True))
    else:
        compared = health.missing_before is not None
        shares = [
            (share, health.values_before.get(value, 0.0) if compared else None)
            for value, share in health.values.items()
        ]
    most = max((max(now, then or 0.0) for now, then in shares), default=0.0)
    return _bars(shares, most, f"spread of {escape(health.subject)}")


def _bars(
    shares: Sequence[tuple[float, float | None]], most: float, label: str, across: bool = False
) -> str:
    """Bars of pairs (now, then) up to ``most``; upright, or one ``across``."""
    if most <= 0:
        return ""
    if across:
        drawn = f'<rect width="{_WIDTH * shares[0][0] / most:.1f}" height="{_HEIGHT / 2:g}"/>'
        height = _HEIGHT / 2
    else:
        step, height = _WIDTH / len(shares), float(_HEIGHT)
        drawn = "".join(
            f'<rect {kind}x="{n * step:.1f}" y="{_HEIGHT * (1 - share / most):.1f}" '
            f'width="{step - 1:.1f}" height="{_HEIGHT * share / most:.1f}"/>'
            for n, pair in enumerate(shares)
            for kind, share in zip(("", 'class="before" '), pair, strict=True)
            if share is not None
        )
    size = f'width="{_WIDTH}" height="{height:g}"'
    return f'<svg role="img" aria-label="{label}" {size}>{drawn}</svg>'


def _marked(name: str, flagged: set[str]) -> str:
    return f'<span class="finding">⚠ {escape(name)}</span>' if name in flagged else escape(name)


def _table(head: list[str], rows: Iterable[list[str]], numbers: set[int]) -> str:
    """``rows`` hold HTML already."""

    def cells(tag: str, row: list[str]) -> str:
        return "".join(
            f'<{tag} class="number">{cell}</{tag}>' if n in numbers else f"<{tag}>{cell}</{tag}>"
            for n, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', head)}</tr>{body}</table>"


def _absent(report: QualityReport) -> str:
    if not report.absent:
        return ""
    listed = "".join(
        f"<li>{escape(view)}: {escape(why)}</li>" for view, why in report.absent.items()
    )
    return f"<h2>Views this workspace does not have</h2><ul>{listed}</ul>"
