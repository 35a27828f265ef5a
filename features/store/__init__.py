"""The Feast store over the built features: the only package that knows Feast."""

from features.store.offline import export_snapshot, training_frame
from features.store.online import materialize, online_row
from features.store.repo import ITEM_SERVICE, MEMBER_SERVICE, OFFER_SERVICE, StoreError, apply

__all__ = [
    "ITEM_SERVICE",
    "MEMBER_SERVICE",
    "OFFER_SERVICE",
    "StoreError",
    "apply",
    "export_snapshot",
    "materialize",
    "online_row",
    "training_frame",
]
