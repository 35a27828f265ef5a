"""What an editor or a publisher does with an experiment: the steps of the API."""

from __future__ import annotations

from starlette.responses import Response

from dashboard.areas.experiments_one import shown
from dashboard.areas.experiments_reading import is_good, last_seen
from dashboard.web.errors import BadForm
from dashboard.web.visit import Visit
from experiments.errors import ExperimentError
from serving.experiment_audit import Change
from serving.experiment_entry import Entry
from serving.experiment_errors import ReadoutUnderWay
from serving.experiments import Book
from serving.lifecycle import Promotion, Reading, promote, start
from serving.preconditions import Conditions

_READ_SECONDS = 5.0  # that a promotion waits for the verdict; what is under way goes on
_MOST_WHY = 4096


def started(visit: Visit) -> Response:
    parts = visit.parts
    start(parts.book, _id(visit), _change(visit), parts.publishing, parts.decider.release)
    return _back(visit, visit.words("It decides from now on."))


def stopped(visit: Visit) -> Response:
    Book(visit.ground.log).stop(_id(visit), _change(visit))
    return _back(visit, visit.words("It is stopped: nobody is assigned any more."))


def shares_changed(visit: Visit) -> Response:
    entry = Book(visit.ground.log).find(_id(visit))
    shares = {arm.name: _share(visit, arm.name) for arm in entry.declared.arms}
    try:
        Book(visit.ground.log).share(_id(visit), shares, _change(visit))
    except ExperimentError as error:
        told = visit.words("The shares have to be 100 % together, in steps of 0.01.")
        raise BadForm(told) from error
    return _back(visit, visit.words("The shares are changed."))


def promoted(visit: Visit) -> Response:
    """Decide for an arm: as the API does, by the readout's verdict; a release is published."""
    parts = visit.parts
    why = visit.form.get("why", "").strip()
    if not why:
        raise BadForm(visit.words("Say why: it stays in the trail."))
    arm = visit.form.get("arm", "")
    if not arm:
        raise BadForm(visit.words("Choose the arm that goes on."))

    def read(entry: Entry) -> Reading | None:
        """The verdict that the page shows, while that is good; else a new one."""
        seen = last_seen(parts.readouts, entry)
        live = entry.declared.mode == "live"
        if live and seen.results is not None and is_good(seen, entry, visit.now):
            return Reading.told_by(seen.results)
        return None if parts.readouts is None else parts.readouts.reading(entry, _READ_SECONDS)

    asked = Promotion(_id(visit), arm, anyway=visit.form.get("anyway") == "yes")
    try:
        promote(parts.book, asked, _change(visit), read, parts.publishing)
    except ReadoutUnderWay:
        told = visit.words(
            "Nothing is decided yet: the verdict is being read. Decide once it shows."
        )
        return shown(visit, visit.form, told)
    return _back(visit, visit.words("It is decided for %(arm)s.", arm=arm))


def discarded(visit: Visit) -> Response:
    Book(visit.ground.log).discard(_id(visit), _change(visit))
    return visit.to("/experiments", visit.words("The draft is deleted."))


def _id(visit: Visit) -> str:
    return visit.path("experiment_id")


def _change(visit: Visit) -> Change:
    """Of the version that the form was made of, so that nobody undoes what another did."""
    why = visit.form.get("why", "").strip()
    if len(why) > _MOST_WHY:
        raise BadForm(visit.words("The reason is too long."))
    etag = visit.form.get("etag", "")
    return visit.change(why, Conditions((etag,) if etag else ()))


def _share(visit: Visit, arm: str) -> float:
    given = visit.form.get(f"share.{arm}", "")
    try:
        return round(float(given) / 100, 10)
    except ValueError:
        told = visit.words("The share of %(arm)s is no number.", arm=arm)
        raise BadForm(told) from None


def _back(visit: Visit, said: str) -> Response:
    return visit.to(f"/experiments/{_id(visit)}", said)
