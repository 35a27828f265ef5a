"""What members were sent lately, packed for a release: frequency caps count it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from decisions.caps import Cap
from decisions.contacts import KINDS, Contacts
from features.contact_history import recent_contacts
from features.snapshot import Snapshot
from features.tables import Tables
from models.artifact import Artifact

KIND = "contacts"
# A window of local days begins up to a day earlier, seen from elsewhere; duplicates look back too.
_ROOM = timedelta(days=2)


def contact_history(
    tables: Tables, snapshot: Snapshot, caps: tuple[Cap, ...], as_of: datetime
) -> Contacts:
    """The contacts that ``caps`` may count, of the members of ``snapshot``."""
    longest = max((cap.longest_hours for cap in caps), default=0.0)
    window = timedelta(hours=longest) + _ROOM
    found = recent_contacts(tables, as_of, window).to_pyarrow()
    ids = pa.array([member.decode() for member in snapshot.member_ids.tolist()], type=pa.string())
    row = pc.index_in(found["member_id"].combine_chunks(), value_set=ids)
    kept = found.append_column("row", row).filter(pc.is_valid(row)).sort_by("row")
    coded = {kind: kept[_COLUMN[kind]].combine_chunks().dictionary_encode() for kind in KINDS}
    columns = {kind: one.indices.to_numpy().astype(np.int32) for kind, one in coded.items()}
    return Contacts(
        member=kept["row"].to_numpy().astype(np.int64),
        at=kept["at"].to_numpy(),
        service=np.zeros(len(kept), dtype=bool),
        **columns,
        names={kind: tuple(one.dictionary.to_pylist()) for kind, one in coded.items()},
    )


_COLUMN = {
    "offer": "offer_id", "channel": "channel", "push": "push_id", "campaign": "campaign_id",
}  # fmt: skip


def save_contacts(contacts: Contacts, folder: Path) -> None:
    names = {kind: list(known) for kind, known in contacts.names.items()}
    Artifact(KIND, {"names": names}, contacts.arrays()).save(folder)
