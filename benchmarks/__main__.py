"""`python -m benchmarks`: everything side by side in one run; a table on standard output, all samples as JSON."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
from datetime import UTC, datetime
from typing import Any

from benchmarks.activity import measure_activity
from benchmarks.analyst import measure_analyst
from benchmarks.dataset import measure_dataset
from benchmarks.exports import measure_exports
from benchmarks.importing import import_times, load_ext_times
from benchmarks.load import measure_load
from benchmarks.logs import measure_logs
from benchmarks.magics import measure_magics
from benchmarks.plan import OURS, ROWS, Aim, Row
from benchmarks.running import ROOT, Samples, WorkerError, measure, medians, official_python
from benchmarks.widgets import measure_widgets
from benchmarks.worker import Sample

RESULTS = ROOT / "build" / "benchmarks.json"
PACKAGES = ("httpx", "websockets", "msgspec", "pandas", "starlette", "uvicorn", "anywidget", "jupyterlab")
FIGURES = {  # unit in the table, factor, digits
    "seconds": ("ms", 1e3, 1),
    "first_seconds": ("first, ms", 1e3, 1),
    "cpu": ("CPU, ms", 1e3, 0),
    "peak_mb": ("peak, MB", 1, 0),
    "messages_per_second": ("msg/s", 1, 0),
    "cpu_us_per_message": ("CPU us/msg", 1, 1),
    "median_us": ("median, us", 1, 0),
    "p95_us": ("p95, us", 1, 0),
    "open_files": ("open files", 1, 0),
}


def main() -> int:
    options = arguments()
    alone = {"widgets", "magics", "activity", "dataset", "analyst"}
    official = None if options.only and set(options.only) <= alone else official_python()
    interpreters = dict.fromkeys(("async", "sync", "raw", "lean"), sys.executable)
    if official:
        interpreters["official"] = official
    results: dict[str, Any] = {"environment": environment(), "rows": {}}
    print(", ".join(f"{name} {value}" for name, value in results["environment"].items()))
    broken = 0
    if not options.only or "import" in options.only:
        for name, samples in (("import", import_times(official)), ("load_ext", load_ext_times())):
            results["rows"][name] = samples
            print_imports(name, samples)
    for row in ROWS:
        if (row.slow and options.quick) or (options.only and not any(word in row.name for word in options.only)):
            continue
        try:
            samples = measure(row, interpreters)
        except WorkerError as error:
            print(f"\n{row.name}: {error}")
            broken += 1
            continue
        results["rows"][row.name] = samples
        print_row(row, medians(samples))
    if not options.only or "widgets" in options.only:
        results["rows"] |= measure_widgets(quick=options.quick)
    if not options.only or "magics" in options.only:
        results["rows"] |= measure_magics(quick=options.quick)
    if not options.only or "activity" in options.only:
        results["rows"] |= measure_activity()
    if not options.only or "analyst" in options.only:
        results["rows"] |= measure_analyst()
    if not options.only or "dataset" in options.only:
        results["rows"] |= measure_dataset()
    if not options.only or "exports" in options.only:
        results["rows"] |= measure_exports(official, quick=options.quick)
    if not options.only or "load" in options.only:
        results["rows"] |= measure_load(official, quick=options.quick)
    if not options.only or "logs" in options.only:
        results["rows"] |= measure_logs(official, quick=options.quick)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1), "utf-8")
    print(f"\nAll samples: {RESULTS.relative_to(ROOT)}")
    return 1 if broken else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the rows that take long")
    parser.add_argument(
        "only",
        nargs="*",
        help="rows whose name contains one of these words; "
        "`import`, `widgets`, `magics`, `activity`, `analyst`, `dataset`, `exports`, `load`, `logs`",
    )
    return parser.parse_args()


def environment() -> dict[str, str]:
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "?"
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "load before": load,
    } | versions


def print_imports(name: str, samples: Samples) -> None:
    middle = {side: sample["seconds"] * 1e3 for side, sample in medians(samples).items()}
    print(f"\n{name}")
    bare = middle.get("bare Python", 0.0)
    for side, value in middle.items():
        above = f"  ({value - bare:+.0f} above bare Python)" if bare and side != "bare Python" else ""
        print(f"  {side:42}{value:8.1f} ms{above}")
    if bare:
        print_aim("import secgemini_jupyter, ms above bare", middle["import secgemini_jupyter"] - bare, "<= 60", 60)
    else:
        print_aim("%load_ext, ms", middle["%load_ext"], "<= 20", 20)


def print_aim(name: str, value: float, aim: str, limit: float) -> None:
    print(f"  {'ok    ' if value <= limit else 'MISSED'} {name}: {value:.1f} (aim {aim})")


def print_row(row: Row, middle: dict[str, Sample]) -> None:
    print(f"\n{row.name}")
    print("  " + " " * 12 + "".join(f"{FIGURES[figure][0]:>14}" for figure in row.shown))
    for side, sample in middle.items():
        cells = (f"{sample[figure] * FIGURES[figure][1]:14,.{FIGURES[figure][2]}f}" for figure in row.shown)
        print(f"  {side:12}" + "".join(cells))
    for aim in row.aims:
        for side in OURS:
            if aim.kind == "absolute" or aim.other in middle:
                print("  " + verdict(aim, side, middle))


def verdict(aim: Aim, side: str, middle: dict[str, Sample]) -> str:
    other = middle[aim.other][aim.figure] if aim.other else 1.0
    ratio = aim.ratio(middle[side][aim.figure], other)
    return f"{'ok    ' if aim.met(ratio) else 'MISSED'} {side} {FIGURES[aim.figure][0]}: {ratio:.2f} (aim {aim})"


if __name__ == "__main__":
    sys.exit(main())
