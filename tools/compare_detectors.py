#!/usr/bin/env python3
"""Reference implementations of streaming detectors on series in NAB's format: what a sample costs them, and their scores.

    compare_detectors.py NAB_DIR OUT_DIR [--samples N]
    compare_detectors.py --cost < SAMPLES

Needs `pip install river rrcf`. Writes OUT_DIR/NAME/CATEGORY/SERIES.csv for `evaluate --peer`, and prints the CPU time of a
sample. A random cut forest in Python takes milliseconds a sample: it is timed on the first N samples of each series
(default 300) and not scored, since its score on these data is published. With --cost only the cost is told, of samples
read one a line, as `NAME NANOSECONDS`: that is what `cargo bench --bench streaming` asks for.
"""

import argparse
import collections
import csv
import json
import pathlib
import sys
import time

import numpy
import rrcf
from river import anomaly, preprocessing


class HalfSpaceTrees:
    """river's, with its defaults: 10 trees of height 8, windows of 250; inputs scaled to 0..1 as it asks for."""

    def __init__(self):
        self.scaler = preprocessing.MinMaxScaler()
        self.trees = anomaly.HalfSpaceTrees(seed=42)

    def observe(self, value):
        sample = {"value": value}
        self.scaler.learn_one(sample)
        sample = self.scaler.transform_one(sample)
        score = self.trees.score_one(sample)
        self.trees.learn_one(sample)
        return score


class RandomCutForest:
    """rrcf's example of streaming detection: 40 trees of 256 points, shingles of 4, mean collusive displacement."""

    def __init__(self):
        numpy.random.seed(42)
        self.forest = [rrcf.RCTree() for _ in range(40)]
        self.window = collections.deque(maxlen=4)
        self.index = 0

    def observe(self, value):
        self.window.append(value)
        if len(self.window) < 4:
            return 0.0
        point, total = numpy.array(self.window), 0.0
        for tree in self.forest:
            if len(tree.leaves) > 256:
                tree.forget_point(self.index - 256)
            tree.insert_point(point, index=self.index)
            total += tree.codisp(self.index)
        self.index += 1
        return total / len(self.forest)


def cost(values):
    for label, detector in [("half-space-trees", HalfSpaceTrees), ("random-cut-forest", RandomCutForest)]:
        one = detector()
        before_ns = time.process_time_ns()
        for value in values:
            one.observe(value)
        print(label, (time.process_time_ns() - before_ns) // max(len(values), 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("nab", type=pathlib.Path, nargs="?")
    parser.add_argument("out", type=pathlib.Path, nargs="?")
    parser.add_argument("--samples", type=int, default=300)
    options = parser.parse_args()
    if options.cost:
        return cost([float(line) for line in sys.stdin])
    if not options.nab or not options.out:
        parser.error("NAB_DIR and OUT_DIR are missing")
    names = sorted(json.loads((options.nab / "windows.json").read_text()))
    for label, detector, limit in [
        ("half-space-trees", HalfSpaceTrees, None),
        ("random-cut-forest", RandomCutForest, options.samples),
    ]:
        spent_ns = samples = 0
        for name in names:
            with open(options.nab / "data" / name, newline="") as file:
                rows = [(row["timestamp"], float(row["value"])) for row in csv.DictReader(file)][:limit]
            one = detector()
            before_ns = time.process_time_ns()
            scores = [one.observe(value) for _, value in rows]
            spent_ns += time.process_time_ns() - before_ns
            samples += len(rows)
            if limit is None:
                path = options.out / label / name
                path.parent.mkdir(parents=True, exist_ok=True)
                lines = (f"{stamp},{score}\n" for (stamp, _), score in zip(rows, scores))
                path.write_text("timestamp,anomaly_score\n" + "".join(lines))
        print(f"{label}: {spent_ns // samples} ns a sample (CPU time), over {samples} samples")
    return None


if __name__ == "__main__":
    sys.exit(main())
