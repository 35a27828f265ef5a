"""Tables, reasons, coverage and views in words; what has none here is shown as it is called."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.web.language import noted
from dashboard.web.visit import Visit

TABLES: Mapping[str, str] = {
    "members": noted("Members"),
    "items": noted("Items"),
    "events": noted("Events"),
    "offers": noted("Offers"),
    "pushes": noted("Pushes"),
    "decisions": noted("Decisions"),
    "outcomes": noted("Outcomes"),
}
REDRIVE: Mapping[str, str] = {
    "members": noted("Take quarantined members again"),
    "items": noted("Take quarantined items again"),
    "events": noted("Take quarantined events again"),
    "offers": noted("Take quarantined offers again"),
    "pushes": noted("Take quarantined pushes again"),
    "decisions": noted("Take quarantined decisions again"),
    "outcomes": noted("Take quarantined outcomes again"),
}
REASONS: Mapping[str, str] = {
    "missing_value": noted("a required value is missing"),
    "naive_time": noted("a time without an offset"),
    "unknown_enum": noted("a value that the column cannot have"),
    "negative_quantity": noted("a quantity below zero that is no refund"),
    "out_of_range": noted("outside the range that is allowed"),
    "bad_time": noted("no time"),
    "bad_money": noted("no amount of money"),
    "bad_number": noted("no number"),
    "bad_integer": noted("no whole number"),
    "bad_share": noted("no share from 0 to 1"),
    "bad_flag": noted("neither true nor false"),
    "bad_list": noted("no list"),
    "bad_id": noted("no id"),
    "bad_text": noted("no text"),
    "bad_category": noted("no category"),
    "bad_encoding": noted("characters that are not UTF-8"),
    "bad_csv": noted("the line is no CSV row"),
    "bad_json": noted("the line is no JSON object"),
    "wrong_fields": noted("another number of fields than the header"),
    "no_offers": noted("a push without offers"),
    "unknown_column": noted("a column that is not in the contract"),
    "erased_member": noted("of a member who was erased; nothing of the row is kept"),
    "conflict": noted("the id is known with other content"),
    "unreadable": noted("the line of the quarantine does not read"),
}
COVERAGE: Mapping[str, str] = {
    "listed": noted("have a row in members"),
    "active": noted("did anything, ever"),
    "bought": noted("bought, ever"),
    "clicked": noted("clicked, ever"),
    "decided": noted("were decided on, ever"),
}
VIEWS: Mapping[str, str] = {
    "purchases": noted("Purchases"),
    "clickstream": noted("Clickstream"),
    "affinity": noted("Affinity"),
    "price": noted("Price"),
    "contacts": noted("Contacts"),
    "membership": noted("Membership"),
    "lifecycle": noted("Lifecycle"),
    "popularity": noted("Popularity of items"),
    "offers": noted("Offers"),
    "worth": noted("Worth"),
    "taste": noted("Taste"),
}
FINDINGS: Mapping[str, str] = {
    "drift": noted("drifted"),
    "missing": noted("values are missing"),
    "range": noted("out of range"),
    "age": noted("no news"),
    "behind": noted("built before the newest events"),
    "coverage": noted("covers too few members"),
}


def said(visit: Visit, codes: Mapping[str, str], code: str) -> str:
    """``code`` in the reader's language; its own name where it has no other."""
    return visit.words(codes[code]) if code in codes else code.replace("_", " ")
