"""(d) Start-up times, and memory and processor time when nothing happens."""

import statistics
import subprocess
import sys
import time

from bench import servers


def measure() -> list[str]:
    """`--help`, ready with an empty and with a kept data directory, resident memory and idle processor share."""
    helps = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "nightdesk", "--help"], check=True, stdout=subprocess.DEVNULL)
        helps.append(time.perf_counter() - began)
    with servers.desk(config=" ") as first:
        fresh = first.ready_seconds
        time.sleep(5)
        began, used = time.perf_counter(), first.cpu_seconds()
        time.sleep(10)
        share = (first.cpu_seconds() - used) / (time.perf_counter() - began)
        memory = first.rss_mib()
    return [
        f"idle: help {statistics.median(helps):.2f} s, first start ready {fresh:.2f} s,"
        f" memory {memory:.0f} MiB, {share * 100:.1f} % of a core"
    ]
