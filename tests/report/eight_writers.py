"""One of several processes that write into a run when they get its lock: `python FILE RUN COUNT SEED`."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from report.made_records import make_genotype, make_measurements, make_record

from rosearch.errors import RunError
from rosearch.records.record import Outcome
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store


def main(run: RunDirectory, count: int, rng: random.Random) -> None:
    done = 0
    while done < count:
        try:
            with run.lock(), Store.open(run.store) as store:
                number, genotype = store.last_number() + 1, make_genotype(rng, nodes=7)
                store.propose([make_record(number, genotype, None, status="pending", seconds={})])
                store.start(number)
                store.finish(number, Outcome(make_measurements(genotype, quality=0.9), seconds={"distil": 1.0}))
                done += 1
        except RunError as error:
            if "another process is working on it" not in str(error):
                raise
        time.sleep(0.02 * rng.random())


if __name__ == "__main__":
    main(RunDirectory.open(Path(sys.argv[1])), int(sys.argv[2]), random.Random(int(sys.argv[3])))
