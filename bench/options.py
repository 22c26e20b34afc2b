"""The command line's options, as a plan."""

import argparse

import msgspec

from bench.plan import PARTS, QUICK, Plan


def options_and_plan() -> tuple[argparse.Namespace, Plan]:
    """What was asked for on the command line."""
    options = _parser().parse_args()
    chosen = {
        name: value for name, value in vars(options).items() if value is not None and name in Plan.__struct_fields__
    }
    return options, msgspec.structs.replace(QUICK if options.quick else Plan(), **chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure speed side by side with pgbench, the bare ceiling and a peer."
    )
    parser.add_argument(
        "--quick", action="store_true", default=None, help="two minutes instead of all: a glance, not a result"
    )
    parser.add_argument("--only", dest="parts", type=_parts, metavar="NAMES", help=f"of {','.join(PARTS)}")
    parser.add_argument("--seconds", type=_positive, metavar="N", help="of one sample")
    parser.add_argument("--rounds", type=_positive, metavar="N", help="how often everything takes its turn")
    parser.add_argument("--connections", type=_numbers, metavar="N,N", help="connection counts of single syncs")
    parser.add_argument("--ids", choices=("random", "numbered"), help="what external ids look like")
    parser.add_argument("--growth-rows", type=_numbers, metavar="N,N", help="stored entries to measure at")
    parser.add_argument("--memory-requests", type=_positive, metavar="N", help="requests to watch the memory over")
    parser.add_argument("--batch-rows", type=_positive, metavar="N", help="rows of one sample of a batch")
    parser.add_argument("--json", action="store_true", help="print the results as one JSON object")
    return parser


def _parts(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(PARTS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    return names


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return int(text)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(it.replace("_", "")) for it in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a list of whole numbers, such as 0,1000000") from None
