"""Names of models, figures and facts in words; what has none here is shown as it is called."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.web.language import noted
from dashboard.web.visit import Visit

MODELS: Mapping[str, str] = {
    "propensity": noted("Propensity to buy"),
    "lapse": noted("Propensity to lapse"),
    "response": noted("Response to a push"),
    "recommender": noted("Recommender"),
    "category": noted("Next category"),
    "repeat": noted("Repeat purchases"),
    "clv": noted("Customer lifetime value"),
    "prior": noted("Prior of the response"),
}
METRICS: Mapping[str, str] = {
    "auc": noted("Ranking (AUC)"),
    "average_precision": noted("Average precision"),
    "log_loss": noted("Log loss"),
    "calibration_error": noted("Calibration error"),
    "uplift_area": noted("Extra conversions per 1,000 members, over all sizes"),
    "uplift_area_beside_rules": noted("The same, beside rules"),
    "gain_at_budget": noted("Gain at a fifth of the budget, per 1,000 decisions"),
    "policy_value": noted("Policy value per 1,000 decisions"),
    "qini": noted("Qini coefficient"),
}
OTHERS: Mapping[str, str] = {
    "best_offer": noted("best single offer"),
    "random": noted("at random"),
    "propensity": noted("by propensity"),
    "recency": noted("by recency"),
    "frequency": noted("by frequency"),
    "spend": noted("by spending"),
    "rfm": noted("by RFM"),
    "popularity": noted("popularity"),
    "logged": noted("what happened"),
    "nothing": noted("no send"),
}
FACTS: Mapping[str, str] = {
    "data_window": noted("Data window"),
    "measured_from": noted("Measured from"),
    "known_until": noted("Knew everything until"),
    "feature_service": noted("Feature service"),
    "dataset_digest": noted("Digest of the data"),
    "evidence": noted("Evidence of effects"),
    "heterogeneity": noted("Differences between members"),
    "calibration_slope": noted("Slope of promised on measured uplift"),
    "measured_on": noted("Measured on"),
    "compared_with": noted("Champion compared with"),
    "not_compared": noted("Why no champion was compared"),
    "policy_value": noted("Policy value per decision"),
    "uplift_area_above_best_offer": noted("Extra conversions above the best single offer"),
    "gain_above_best_offer": noted("Gain above the best single offer, at a fifth of the budget"),
    "qini": noted("Qini coefficient"),
    "effect_by_channel": noted("Effect by channel"),
    "unsubscribed_by_a_send": noted("Unsubscribed by a send"),
}
ALIASES: Mapping[str, str] = {
    "champion": noted("champion"),
    "challenger": noted("challenger"),
}
STATES: Mapping[str, str] = {
    "queued": noted("waiting"),
    "running": noted("under way"),
    "done": noted("done"),
    "failed": noted("failed"),
}
_CODES = (MODELS, METRICS, OTHERS, FACTS, ALIASES, STATES)


def said(visit: Visit, codes: Mapping[str, str], code: str) -> str:
    """``code`` in the reader's language; its own name where it has no other."""
    if code in codes:
        return visit.words(codes[code])
    return code.replace("_", " ")
