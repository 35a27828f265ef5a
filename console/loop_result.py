"""What the learning loop found, week by week: as a table, a document and a curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from training.charts import Chart

OURS = "champion"  # the arm that the published release decides
GOAL = 0.85


@dataclass(frozen=True, slots=True)
class ArmFound:
    """One arm of a week's experiment; money per member assigned.

    gain: by the market's truth: expected margin less costs, against no push. estimate: the same
    as the readout tells it against the holdout, with its interval; None where it cannot be said.
    """

    members: int
    sent: int
    gain: float
    estimate: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Week:
    """One push, its arms, and the yardsticks: what others would have earned with the members of
    the arm ``OURS`` at the same size, per member assigned.

    oracle: knows every effect, also what no feature tells. told: the best that features tell.
    release: that decided the arm. challenger: that may follow it, empty where there is none.
    verdict: what became of the challenger, and why.
    """

    number: int
    push_id: str
    arms: Mapping[str, ArmFound]
    oracle: float
    told: float
    release: str
    challenger: str
    verdict: str

    @property
    def gain(self) -> float:
        return self.arms[OURS].gain

    @property
    def share(self) -> float:
        """Of the oracle's gain."""
        return self.gain / self.oracle

    @property
    def share_of_told(self) -> float:
        """Of what the best that features tell would have earned."""
        return self.gain / self.told


@dataclass(frozen=True, slots=True)
class Found:
    """The whole run. audience: most members that a push reaches, as a share of all."""

    seed: int
    members: int
    audience: float
    seconds: float
    weeks: tuple[Week, ...]

    def cumulative(self, name: str) -> list[float]:
        """Gain per member up to each week, of an arm, ``oracle`` or ``told``."""
        return list(accumulate(_of(week, name) for week in self.weeks))

    def to_json(self) -> dict[str, Any]:
        last = self.weeks[-1]
        return {
            **asdict(self),
            "cumulative": {name: self.cumulative(name) for name in self._curves()},
            "share_of_oracle": last.share,
            "share_of_what_features_tell": last.share_of_told,
        }

    def _curves(self) -> list[str]:
        return ["oracle", "told", *(name for name in self.weeks[0].arms if name != "holdout")]

    def chart(self) -> Chart:
        """Cumulative gain of each arm and of the yardsticks."""
        from training.charts import Chart, Series

        numbers = [0.0, *(float(week.number) for week in self.weeks)]
        series = [
            Series(
                _NAMES.get(name, name), numbers, [0.0, *self.cumulative(name)],
                "guide" if name in ("oracle", "told") else "line",
            )
            for name in self._curves()
        ]  # fmt: skip
        return Chart(
            f"learning loop, {self.members:,} members, seed {self.seed}",
            "week",
            "true incremental gain so far, money per member assigned",
            tuple(series),
        )

    def shares(self) -> Chart:
        """Share of the yardsticks by week."""
        from training.charts import Chart, Series

        numbers = [float(week.number) for week in self.weeks]
        return Chart(
            "share of what could have been earned in the week",
            "week",
            "share of the yardstick's gain",
            (
                Series("of the oracle", numbers, [week.share for week in self.weeks]),
                Series(
                    "of the best that features tell",
                    numbers,
                    [week.share_of_told for week in self.weeks],
                ),
                Series(f"{GOAL:g}", numbers, [GOAL] * len(numbers), "guide"),
            ),
        )


_NAMES = {"oracle": "oracle, knows every effect", "told": "best that features tell"}


def _of(week: Week, name: str) -> float:
    if name in ("oracle", "told"):
        return float(getattr(week, name))
    return week.arms[name].gain if name in week.arms else 0.0


def arms_table(found: Found) -> Table:
    """One row an arm and week."""
    from rich.table import Table

    table = Table(
        "week", "push", "arm", "members", "sent", "gain", "readout against the holdout",
        title="gain in money per member assigned", box=None,
    )  # fmt: skip
    for week in found.weeks:
        for number, (name, arm) in enumerate(week.arms.items()):
            first = (str(week.number), week.push_id) if number == 0 else ("", "")
            table.add_row(
                *first, name, f"{arm.members:,}", f"{arm.sent:,}", f"{arm.gain:.3f}", _told(arm)
            )
    return table


def weeks_table(found: Found) -> Table:
    """One row a week."""
    from rich.table import Table

    table = Table(
        "week", "gain", "oracle", "share", "features tell", "share", "gain so far", "rule so far",
        "what became of the challenger", box=None,
    )  # fmt: skip
    so_far = zip(found.cumulative(OURS), found.cumulative("rule"), strict=True)
    for week, (ours, rule) in zip(found.weeks, so_far, strict=True):
        table.add_row(
            str(week.number), f"{week.gain:.3f}", f"{week.oracle:.3f}", f"{week.share:.2f}",
            f"{week.told:.3f}", f"{week.share_of_told:.2f}", f"{ours:.3f}", f"{rule:.3f}",
            week.verdict,
        )  # fmt: skip
    return table


def summary(found: Found) -> str:
    """Both yardsticks of the last week in plain words."""
    last = found.weeks[-1]
    return (
        f"seed {found.seed}, {found.members:,} members, {found.seconds:.0f} seconds. In week "
        f"{last.number} the published release earned {last.share:.0%} of what an oracle earns that "
        f"knows every effect ({_reached(last.share)}), and {last.share_of_told:.0%} of the best "
        f"that features tell ({_reached(last.share_of_told)})."
    )


def _reached(share: float) -> str:
    return f"goal {GOAL:.0%} {'reached' if share >= GOAL else 'missed'}"


def _told(arm: ArmFound) -> str:
    if arm.estimate is None or arm.interval is None:
        return ""
    return f"{arm.estimate:.3f} ({arm.interval[0]:.3f} to {arm.interval[1]:.3f})"
