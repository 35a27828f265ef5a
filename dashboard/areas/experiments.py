"""The pages about experiments."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import Route

from dashboard.areas import experiments_new as new
from dashboard.areas import experiments_one as one
from dashboard.areas import experiments_steps as steps
from dashboard.areas.experiments_list import listed
from dashboard.web.language import noted
from dashboard.web.routing import ask, change, look

_ONE = "/experiments/{experiment_id}"
# A name begins with a letter or a digit: what is no experiment's lies below "-".
ROUTES: Sequence[Route] = (
    look("/experiments", listed),
    look("/experiments/-/new", new.new, "editor"),
    change("/experiments/-/new", new.created, says=noted("declare an experiment")),
    ask("/experiments/-/power", new.power_asked, "editor"),
    look("/experiments/-/power/{job_id}", new.power_shown, "editor"),
    change(
        "/experiments/-/power/{job_id}/cancel",
        new.power_cancelled,
        says=noted("cancel a power calculation"),
    ),
    look(_ONE, one.shown),
    look(f"{_ONE}/readout", one.readout),
    look(f"{_ONE}/steps", one.steps, "editor"),
    look(f"{_ONE}/results.json", one.results_file),
    look(f"{_ONE}/arms.csv", one.arms_file),
    look(f"{_ONE}/declaration.json", one.declaration_file),
    look(f"{_ONE}/trail.csv", one.trail_file),
    look(f"{_ONE}/edit", new.edit, "editor"),
    change(f"{_ONE}/edit", new.revised, says=noted("change an experiment")),
    change(f"{_ONE}/start", steps.started, says=noted("start an experiment")),
    change(f"{_ONE}/stop", steps.stopped, says=noted("stop an experiment")),
    change(
        f"{_ONE}/shares", steps.shares_changed, says=noted("change the shares of an experiment")
    ),
    change(f"{_ONE}/promote", steps.promoted, "publisher", says=noted("decide an experiment")),
    change(f"{_ONE}/discard", steps.discarded, says=noted("delete a draft")),
)
