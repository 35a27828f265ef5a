"""What the API tells about a decision that was made: the same again, and why."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from serving.schemas import Decision


class Told(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Replayed(Told):
    """equal: made again from what it was made from, the answer came out the same, byte by byte.

    differs: fields that did not. release: the one that made the decision, and made it again.
    withheld: why neither is shown as sent although one was: the member is not to be contacted now.
    """

    decision_id: str
    equal: bool
    differs: list[str]
    stored: Decision
    recomputed: Decision
    release: str
    withheld: str | None
