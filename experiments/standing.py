"""After the last planned look: what it said stands, whatever comes in later."""

from __future__ import annotations

from dataclasses import replace

from experiments.findings import Contrast, Readout
from experiments.verdict import overall

# What may be found at any time, and so also after the last look.
_ANY_TIME = ("srm", "guardrail_broken")


def standing(now: Readout, last: Readout) -> Readout:
    """The figures of ``now`` with the verdicts of ``last``, the readout as of the last look.

    To judge every later readout by the last look's bound would be to go on looking: read daily
    until the windows of the last members have passed, 28 days with windows of 14 raise 9 false
    alarms in 100 where 5 were declared, and more while members still come.

    Args:
        now: read as between looks. What it finds by tests that hold at any time counts.
    """
    then = {(one.arm, one.control): one for one in last.contrasts}
    contrasts = tuple(_stood(one, then[one.arm, one.control]) for one in now.contrasts)
    return replace(now, contrasts=contrasts, verdict=overall(contrasts))


def _stood(now: Contrast, then: Contrast) -> Contrast:
    if now.verdict is not None and now.verdict.reason in _ANY_TIME:
        return now
    return replace(now, decided=then.decided, guardrails=then.guardrails, verdict=then.verdict)
