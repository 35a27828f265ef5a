"""``python -m serving.rehearse FOLDER``: parse a release where a crash harms nobody."""

from __future__ import annotations

import sys
from pathlib import Path

from models.trees import import_lightgbm
from serving.release import rehearse
from serving.verify import ReleaseError


def main(folder: Path) -> int:
    try:
        rehearse(folder)
    except ReleaseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    import_lightgbm()
    sys.exit(main(Path(sys.argv[1])))
