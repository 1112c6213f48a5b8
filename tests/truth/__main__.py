"""Plays worlds by hand: `python -m tests.truth --seed 3 --size 1 --paces 60,8,1`."""

from __future__ import annotations

import argparse
import sys

from tests.truth.run import play
from tests.truth.table import lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.truth", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=float, default=1.0, help="1.0 is about 750 cases")
    parser.add_argument("--paces", default="60,8,1", help="how many syncs, one number a play, the most first")
    parser.add_argument("--examples", type=int, default=3, help="deals named for each cause")
    asked = parser.parse_args()
    played = [play(asked.seed, asked.size, int(pace)) for pace in asked.paces.split(",")]
    for one in played:
        for problem in one.problems:
            sys.stdout.write(f"{one.judgement.pace} syncs: {problem}\n")
    for line in lines([one.judgement for one in played], asked.examples):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
