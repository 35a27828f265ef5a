"""What an experiment could see, from the workspace's history: a command that takes a while."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from markupsafe import Markup

from dashboard.charts.figure import figure
from dashboard.numbers import told
from dashboard.terms import Words, term
from dashboard.web.errors import TooMuchWork
from dashboard.web.language import noted
from dashboard.web.visit import Visit
from dashboard.web.work import Job
from serving.experiment_schemas import ExperimentGiven
from training.charts import Chart, Series

NAME = noted("Power of an experiment")


def begin(visit: Visit, declared: ExperimentGiven) -> Job:
    """The calculation for what is declared; the same again is not made twice.

    Raises:
        TooMuchWork: enough is under way, or another's calculation.
    """
    words = command(declared)
    digest = sha256(json.dumps(words).encode()).hexdigest()[:16]
    then = f"/experiments/-/new?power={digest}"
    work = visit.ground.work
    before = work.newest(NAME)
    if before is not None and before.then == then and before.state in ("running", "done"):
        return before
    if before is not None and before.state == "running":
        if before.by != visit.user.name:
            raise TooMuchWork(f"{before.by} has a calculation under way; wait until it is done")
        work.cancel(before.job_id)
    return work.start(NAME, words, visit.user.name, then)


def command(declared: ExperimentGiven) -> list[str]:
    """The command line that asks the question of a declaration."""
    analysis = declared.analysis
    words = ["experiment", "power", "--json", f"--control={declared.control}"]
    words += [f"--arm={arm.name}={arm.share!r}" for arm in declared.arms]
    words += [
        f"--metric={analysis.metric}", f"--window-days={analysis.window_days!r}",
        f"--before-days={analysis.before_days!r}", f"--alpha={analysis.alpha!r}",
        f"--power={analysis.power!r}", f"--traffic={declared.traffic!r}",
    ]  # fmt: skip
    if analysis.cap is not None:
        words.append(f"--cap={analysis.cap!r}")
    if analysis.lift:
        words.append(f"--lift={analysis.lift!r}")
    always = analysis.sequential == "always"
    return [*words, "--always"] if always else [*words, f"--looks={analysis.looks}"]


@dataclass(frozen=True, slots=True)
class Answer:
    """sentence: in the reader's language. reasons: why it cannot be measured, English."""

    measurable: bool
    sentence: str
    reasons: Sequence[str]
    baseline: str
    chart: Markup


def answer(found: Mapping[str, Any], words: Words) -> Answer:
    """What the command printed."""
    needed, within = found["needed"], found["within_reach"]
    shown = needed if found["measurable"] else within
    sentence = ""
    if shown is not None:
        share = found["baseline"]["metric"] == "converted"
        sentence = words(
            "A lift of %(lift)s per member can be seen with %(members)s members in %(days)s days, "
            "with a chance of %(power)s.",
            lift=told(shown["lift"], "points" if share else "money", signed=True),
            members=told(shown["members"], "count"), days=told(shown["days"], "count"),
            power=told(found["power"], "share", decimals=0),
        )  # fmt: skip
    return Answer(
        found["measurable"], sentence, found["reasons"], _baseline(found, words),
        _chart(found, words),
    )  # fmt: skip


def _baseline(found: Mapping[str, Any], words: Words) -> str:
    base = found["baseline"]
    share = base["metric"] == "converted"
    return words(
        "From %(members)s members between %(start)s and %(end)s: %(metric)s %(mean)s each.",
        members=told(base["members"], "count"), start=base["from"][:10], end=base["to"][:10],
        metric=term(words, base["metric"]), mean=told(base["mean"], "share" if share else "money"),
    )  # fmt: skip


def _chart(found: Mapping[str, Any], words: Words) -> Markup:
    curve = found["curve"]
    if not curve:
        return Markup("")
    members = [float(one["members"]) for one in curve]
    line = Series(words("smallest lift that shows"), members, [one["lift"] for one in curve])
    chart = Chart(
        words("What can be seen"), words("members in all arms"), words("lift per member"), (line,)
    )
    share = found["baseline"]["metric"] == "converted"
    says = words("The smallest lift that would be seen, by how many members are in the experiment.")
    return figure(chart, "power", says, "points" if share else "money", words)
