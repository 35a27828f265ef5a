"""Pushes in TOML files: what is read, and what a slip is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.push_file import read_push
from decisions.records import CatalogueError

PUSH = """
push_id = "spring"
channel = "push"
send_at = 2026-05-20T09:00:00Z
"""


def test_a_push_is_read_with_the_offers_described_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "push.toml"
    path.write_text(PUSH + 'offer_ids = ["a"]\n[[offers]]\noffer_id = "a"\nkind = "content"\n')
    read = read_push(path)
    assert (read.push.push_id, [offer.offer_id for offer in read.offers]) == ("spring", ["a"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PUSH + 'offer_ids = ["a"]\noffers = ["a"]', r"described as tables under \[\[offers\]\]"),
        (PUSH.replace("T09:00:00Z", "") + 'offer_ids = ["a"]', "send_at is 2026-05-20, wanted"),
        (PUSH.replace("Z", "") + 'offer_ids = ["a"]', "send_at of push 'spring' has no offset"),
        ("push_id = ", "not TOML"),
    ],
)
def test_a_slip_is_told_with_the_file(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "push.toml"
    path.write_text(content)
    with pytest.raises(CatalogueError, match=rf"push\.toml: .*{message}"):
        read_push(path)
