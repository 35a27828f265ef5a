"""The quality report as one page that needs nothing else: no network, no scripts."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from features.quality import FeatureHealth, Feed, Finding, QualityReport

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
"""
_WIDTH, _HEIGHT = 120, 24


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
    return f"<p>Compared with the features built for {moments}.</p>"


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


def _features(features: Iterable[FeatureHealth], flagged: set[str]) -> str:
    rows = [
        [
            _marked(health.name, flagged),
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
    """Bars of the shares, by bin for a number and by value for a category."""
    shares = list(health.histogram if health.values is None else health.values.values())
    most = max(shares, default=0.0)
    if most <= 0:
        return ""
    step = _WIDTH / len(shares)
    bars = "".join(
        f'<rect x="{n * step:.1f}" y="{_HEIGHT * (1 - share / most):.1f}" '
        f'width="{step - 1:.1f}" height="{_HEIGHT * share / most:.1f}"/>'
        for n, share in enumerate(shares)
    )
    label = f"spread of {escape(health.name)}"
    return f'<svg role="img" aria-label="{label}" width="{_WIDTH}" height="{_HEIGHT}">{bars}</svg>'


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
