"""What `pushwise insights refresh` makes, in that order.

To add one: a function of workspace, moment and progress that gives plain JSON, and its line here.
What it needs is imported inside it.
"""

from __future__ import annotations

from features.insights.insight import Insight

INSIGHTS: tuple[Insight, ...] = ()
