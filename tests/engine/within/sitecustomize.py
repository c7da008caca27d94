"""Found before anything else by an interpreter that is started with this folder first on PYTHONPATH: see ../within.py."""

import os

if "STRONGROOM_TRY" in os.environ:
    from tests.engine import within

    within.watch(os.environ.pop("STRONGROOM_TRY"))
