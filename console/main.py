"""The command ``pushwise``: puts the commands together and tells errors in one line."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from decisions.errors import DecisionError
from experiments.errors import ExperimentError
from features.errors import FeatureError
from models.errors import ModelError
from serving.scorer_error import ScorerError
from training.errors import TrainingError

# What a user can mend. Anything else is a fault of ours and keeps its traceback.
TOLD = (
    FeatureError, ModelError, DecisionError, ExperimentError, TrainingError, ScorerError,
)  # fmt: skip


class Told(TyperGroup):
    """Ends a command that a user can mend with one line on stderr and exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TOLD as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from error
        except OSError as error:
            if error.filename is None:
                raise
            typer.echo(
                f"error: {error.filename}: {error.strerror}; "
                "wanted a path that can be read and written",
                err=True,
            )
            raise typer.Exit(1) from error


def application() -> typer.Typer:
    """The whole command line."""
    from console import (
        dashboard,
        demo,
        evaluate,
        experiment,
        features,
        fresh,
        ingest,
        insights,
        insights_demand,
        log,
        loop,
        members,
        models,
        monitor,
        personas,
        plan,
        release,
        report,
        rules,
        serve,
        train,
        why,
    )

    app = typer.Typer(
        cls=Told,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Decides who gets a push and which offer it carries.",
    )
    app.command("demo")(demo.demo)
    app.command("loop")(loop.loop)
    ingest.register(app)
    fresh.register(features.app)
    app.add_typer(features.app)
    app.command("train")(train.train)
    app.add_typer(models.app)
    app.add_typer(release.app)
    serve.register(app)
    dashboard.register(app)
    app.add_typer(members.app)
    app.add_typer(log.log)
    app.command("plan")(plan.plan)
    app.add_typer(personas.app)
    app.add_typer(evaluate.app)
    app.add_typer(experiment.app)
    app.add_typer(rules.app)
    app.add_typer(report.app)
    app.command("monitor")(monitor.monitor)
    insights.app.command("demand")(insights_demand.demand)
    app.add_typer(insights.app)
    app.command("why")(why.why)
    return app


def main() -> None:
    application()()
