"""The part of the page about segments that tells growing demand."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from dashboard.charts.figure import csv_link, figure
from dashboard.demand_report import Document, columns, growth_chart, rows
from dashboard.web.visit import Visit
from features.insights.prepared import Prepared, prepared

NAME = "demand"
SHOWN = 12


@dataclass(frozen=True, slots=True)
class DemandPart:
    """What the template ``segments/demand.html`` shows.

    prepared: the document. shown: its first findings. chart: their growth; None without any.
    """

    prepared: Prepared
    shown: list[Document]
    chart: Markup | None
    csv: str

    @property
    def report(self) -> Document:
        return self.prepared.document


def demand_part(visit: Visit) -> DemandPart | None:
    """What was prepared, in the reader's language; None before it is.

    Raises:
        PreparedError: the document is damaged.
    """
    found = prepared(visit.ground.workspace, NAME)
    if found is None:
        return None
    document, words = found.document, visit.words
    chart = None
    if document["findings"]:
        says = words(
            "How much more each need grew than all demand, with its interval; 1 is the shop itself."
        )
        chart = figure(growth_chart(document, words), "growing-demand", says, words=words)
    return DemandPart(
        found, document["findings"][:SHOWN], chart, csv_link(columns(document), rows(document))
    )
