"""Every public file of four sets through the engine: what state each ends in. None may crash or hang it.

python -m bench.public_files [-v]
"""

import shutil
import sys
import time
from collections import Counter

from bench.command import throwaway
from bench.files import shared_data

SETS = ("emails/enron_maildir", "emails/spamassassin", "contracts/cuad", "parsers")


def main() -> None:
    for name in SETS:
        with throwaway() as shell:
            folder = shell.folder / "papers"
            shutil.copytree(shared_data() / name, folder)
            began = time.perf_counter()
            shell.run_even_if_some_failed("add", "--wait", str(folder))
            took = time.perf_counter() - began
            rows = shell.json("list", "--files", "--all")["rows"]
            states = Counter(row["state"] for row in rows)
            print(
                f"{name}: {len(rows)} files in {took:.0f} s; " + ", ".join(f"{n} {s}" for s, n in states.most_common())
            )
            silent = [row["path"] for row in rows if row["state"] != "done" and not row["reason"]]
            print(f"  not done and without a reason: {len(silent)}")
            for row in rows:
                if "-v" in sys.argv and row["state"] != "done":
                    print(f"    {row['state']}: {row['path'][len(str(folder)) :]}: {row['reason']}")


if __name__ == "__main__":
    main()
