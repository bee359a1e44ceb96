"""`python -m bench [NAME ...]`: runs the benchmarks and prints a line each."""

import sys
from collections.abc import Callable

from bench import first_byte, idle, intake, recovery, stalls

BENCHES: dict[str, Callable[[], list[str]]] = {
    "intake": lambda: intake.measure(1) + intake.measure(32),
    "first_byte": first_byte.measure,
    "stalls": stalls.measure,
    "recovery": recovery.measure,
    "idle": idle.measure,
}


def main() -> None:
    """The benchmarks named, or all, have run."""
    names = sys.argv[1:] or list(BENCHES)
    for name in names:
        if name not in BENCHES:
            sys.exit(f"there is no benchmark {name}; there are {', '.join(BENCHES)}")
        for line in BENCHES[name]():
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
