"""Declaring an experiment, and changing a draft: one form, one message for each wrong field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from starlette.responses import Response

from dashboard.areas import experiments_power as power
from dashboard.areas.experiments_form import (
    ARMS,
    DEFAULTS,
    FormError,
    Problem,
    fields_of,
    given,
    refused,
)
from dashboard.web.errors import UnknownWork
from dashboard.web.visit import Visit
from dashboard.web.work import Job
from experiments.design import Experiment
from serving.errors import ServiceError
from serving.experiment_entry import Entry
from serving.experiment_errors import InvalidExperiment, WrongState
from serving.experiment_reading import read_experiment
from serving.experiments import Book
from serving.preconditions import Conditions

_NEW = "/experiments/-/new"
Takes: TypeAlias = Callable[[Experiment], Entry]


def new(visit: Visit) -> Response:
    if visit.ground.parts is None:
        return visit.page("experiments/first.html")
    return _form(visit, _NEW, DEFAULTS)


def created(visit: Visit) -> Response:
    def takes(experiment: Experiment) -> Entry:
        return Book(visit.ground.log).create(experiment, visit.change()).entry

    return _taken(visit, _NEW, takes)


def edit(visit: Visit) -> Response:
    entry = Book(visit.ground.log).find(visit.path("experiment_id"))
    if entry.state != "draft":
        raise WrongState(entry.state, "draft")
    fields = {**fields_of(entry.declared), "etag": entry.etag}
    return _form(visit, f"/experiments/{entry.experiment_id}/edit", fields)


def revised(visit: Visit) -> Response:
    etag = visit.form.get("etag", "")
    conditions = Conditions((etag,) if etag else ())
    action = f"/experiments/{visit.path('experiment_id')}/edit"

    def takes(experiment: Experiment) -> Entry:
        return Book(visit.ground.log).revise(experiment, visit.change(conditions=conditions))

    named = {**visit.form, "experiment_id": visit.path("experiment_id")}
    return _taken(visit, action, takes, named)


def power_asked(visit: Visit) -> Response:
    """The power of what the form says; the form stays as it is."""
    action = visit.form.get("action", _NEW)
    try:
        job = power.begin(visit, given(visit.form))
    except FormError as found:
        if visit.partial:
            return _piece(visit, problems=found.problems)
        return _form(visit, action, visit.form, found)
    return _piece(visit, job) if visit.partial else _form(visit, action, visit.form, job=job)


def power_shown(visit: Visit) -> Response:
    return _piece(visit, _power_job(visit))


def _power_job(visit: Visit) -> Job:
    job = visit.ground.work.find(visit.path("job_id"))
    if job.name != power.NAME:
        raise UnknownWork
    return job


def power_cancelled(visit: Visit) -> Response:
    job = visit.ground.work.cancel(_power_job(visit).job_id)
    return _piece(visit, job) if visit.partial else visit.to(_NEW)


def _taken(
    visit: Visit, action: str, takes: Takes, form: Mapping[str, str] | None = None
) -> Response:
    """Take what the form declares; else the form again, with what is wrong in it."""
    fields = visit.form if form is None else form
    try:
        entry = takes(_declared(visit, fields))
    except FormError as found:
        return _form(visit, action, fields, found)
    except InvalidExperiment as error:
        return _form(visit, action, fields, refused(error, fields))
    except ServiceError as error:
        if error.code != "experiment_exists":
            raise
        taken = Problem("experiment_id", "taken", detail=visit.words("this name is taken"))
        return _form(visit, action, fields, FormError([taken]))
    said = visit.words("It is declared. It decides nothing until it is started.")
    return visit.to(f"/experiments/{entry.experiment_id}", said)


def _declared(visit: Visit, fields: Mapping[str, str]) -> Experiment:
    parts, wanted = visit.parts, given(fields)
    put = parts.catalogue.among("offers", [arm.offer for arm in wanted.arms if arm.offer])
    return read_experiment(wanted, parts.decider.release, put)


def _form(
    visit: Visit,
    action: str,
    fields: Mapping[str, str],
    found: FormError | None = None,
    job: Job | None = None,
) -> Response:
    problems = () if found is None else found.problems
    wrong = {one.field: one.told(visit.words) for one in problems}
    return visit.page(
        "experiments/new.html", 200 if found is None else 422,
        action=action, fields=fields, wrong=wrong, rows=range(ARMS), known=_known(visit),
        editing=action != _NEW, **_power_values(visit, job),
    )  # fmt: skip


def _piece(visit: Visit, job: Job | None = None, problems: tuple[Problem, ...] = ()) -> Response:
    wrong = {one.field: one.told(visit.words) for one in problems}
    return visit.page("experiments/power.html", wrong=wrong, **_power_values(visit, job))


def _power_values(visit: Visit, job: Job | None) -> dict[str, Any]:
    told = None
    if job is not None and job.state == "done" and isinstance(job.answer, Mapping):
        told = power.answer(job.answer, visit.words)
    return {"job": job, "answer": told}


def _known(visit: Visit) -> Mapping[str, list[str]]:
    """Names that fields may hold: releases, offers, pushes of the release in use."""
    parts = visit.parts
    release = parts.decider.release
    releases = [] if parts.publishing is None else parts.publishing.listed()
    pushes = release.pushes
    offers = {offer for push in pushes.values() for offer in push.offer_ids}
    return {
        "releases": [one.release_id for one in releases][-50:],
        "pushes": sorted(pushes)[:500],
        "offers": sorted(offers)[:500],
    }
