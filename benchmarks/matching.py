"""What the matcher finds, misses and wrongly assigns, and what it costs beside the cheapest lookup there is.

    python benchmarks/matching.py [--codes 100000] [--texts 200000] [--seed 1]

For each way of making codes, texts are generated whose true code is known. Counted are right, wrong and missed
matches and the items raised, by kind of text; "spelt" is a wrong match too, of a typo that is, letter by letter,
a code issued to somebody else, which no matcher can tell. Times are ratios: the whole cascade against one dictionary
lookup of the whole field, on the same texts in the same process. Codes and texts are synthetic.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from random import Random

from refloop.mapping.codes import CodeBook, code_key
from refloop.mapping.match import CarriedTexts, Reading, read_codes
from refloop.model import Code, Kind, Ref

DAY = date(2026, 3, 1)
LEAD = Ref("crm", Kind.LEAD, "1")
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NAMES = "ANNA JULIA OLIVER LILLY BOB CARLO ILONA SOFIA MIKE NOOR EMIL RUTH HUGO ZOE IVAN LOLA".split()  # noqa: SIM905 - a table
THINGS = "SUN LION ROAD COFFEE TRAIL OCEAN PIXEL CLOUD BLOOM LIGHT".split()  # noqa: SIM905 - a table
SENTENCES = (
    "Met them at the fair in Berlin, wants a demo in week {n}.",
    "Web form",
    "Please call back after {n} pm, asks for a quote for {n} seats",
    "Downloaded the B2B pricing guide, utm unknown, source: newsletter",
    "https://example.com/pricing?utm_source=mail&utm_campaign=spring{n}&gclid=Cj0K{n}",
    "Invoice {n}, PO number 45{n}, zip code 90{n}",
)


@dataclass(frozen=True, slots=True)
class Text:
    """A generated field, and the key that is truly in it."""

    kind: str
    text: str
    key: str | None


def random_code(length: int) -> Callable[[Random], str]:
    return lambda chance: "".join(chance.choices(CROCKFORD, k=length))


def prefixed(chance: Random) -> str:
    return "ACME" + random_code(5)(chance)


def vanity(chance: Random) -> str:
    return f"{chance.choice(NAMES)}{chance.choice(THINGS)}{chance.randrange(1000)}"


REGIMES: dict[str, Callable[[Random], str]] = {
    "8 random": random_code(8),
    "6 random": random_code(6),
    "prefix + 5": prefixed,
    "words + number": vanity,
}


def generated_codes(make: Callable[[Random], str], count: int, chance: Random) -> tuple[list[str], list[str]]:
    """Codes to issue, and as many again, at most a tenth, of the same make that nobody issued."""
    made: dict[str, None] = {}
    for _ in range(20 * count):
        made[make(chance)] = None
        if len(made) == count + count // 10:
            break
    codes = list(made)
    foreign = len(codes) // 11
    return codes[foreign:], codes[:foreign]


def separated(code: str, chance: Random) -> str:
    middle = len(code) // 2
    return code[:middle] + chance.choice(" -_.") + code[middle:]


def confused(code: str, chance: Random) -> str:
    swaps = {"0": "O", "1": chance.choice("IL"), "O": "0", "I": "1", "L": "1"}
    places = [at for at, letter in enumerate(code) if letter in swaps]
    if not places:
        return code
    at = chance.choice(places)
    return code[:at] + swaps[code[at]] + code[at + 1 :]


def mistyped(code: str, chance: Random) -> str:
    at = chance.randrange(len(code) - 1)
    letter = chance.choice(CROCKFORD)
    return chance.choice(
        (
            code[:at] + letter + code[at + 1 :],
            code[:at] + letter + code[at:],
            code[:at] + code[at + 1 :],
            code[:at] + code[at + 1] + code[at] + code[at + 2 :],
        )
    )


def one_text(codes: list[str], foreign: list[str], chance: Random) -> Text:
    code, number = chance.choice(codes), chance.randrange(10, 100)
    draw = chance.random()
    if draw < 0.40:
        return Text("no code", chance.choice(SENTENCES).format(n=number), None)
    if draw < 0.42:
        return Text("foreign code", chance.choice(foreign), None)
    kind, text = next((kind, write(code, chance)) for limit, kind, write in WRITINGS if draw < limit)
    return Text(kind, text, code_key(code))


WRITINGS: tuple[tuple[float, str, Callable[[str, Random], str]], ...] = (
    (0.62, "as issued", lambda code, _: code),
    (0.70, "lower case", lambda code, _: code.lower()),
    (0.78, "separators", separated),
    (0.82, "look-alikes", confused),
    (0.87, "typo", mistyped),
    (0.93, "in a sentence", lambda code, _: f"Talked to Anna, she said {code} was hers, call back"),
    (0.94, "split, with a cue", lambda code, chance: f"referred by Anna, code {separated(code, chance)}, thanks"),
    (0.95, "split, no cue", lambda code, chance: f"Talked to Anna, {separated(code, chance)}, call back"),
    (1.01, "link", lambda code, _: f"https://example.com/signup?utm_source=a&ref={code}#top"),
)


def timed(work: Callable[[], object]) -> float:
    """Seconds of processor time, best of three."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def verdict(text: Text, reading: Reading) -> str:
    if reading.match is None:
        return "asked" if reading.items else ("missed" if text.key else "right")
    if reading.match.code == text.key:
        return "right"
    return "spelt" if text.kind == "typo" and code_key(text.text) == reading.match.code else "wrong"


def report(regime: str, codes: list[str], texts: list[Text]) -> Iterator[str]:
    issued = [Code(code, code_key(code), "referrer", "program") for code in codes]
    plain = {code.key: code for code in issued}
    tracemalloc.start()
    book = CodeBook(issued)
    megabytes = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    gc.collect()
    build = timed(lambda: CodeBook(issued))
    cascade = timed(lambda: [read_codes(CarriedTexts(LEAD, {"Note": text.text}, DAY), book) for text in texts])
    lookup = timed(lambda: [plain.get(code_key(text.text)) for text in texts])
    yield f"\n{regime}: {len(codes):,} codes, {len(texts):,} texts"
    yield f"  book: {build:.2f} s of processor, {megabytes:.1f} MB beside the codes themselves"
    yield (
        f"  cascade: {len(texts) / cascade:,.0f} texts per processor second, "
        f"{cascade / lookup:.1f} x one lookup of the whole field"
    )
    counts: dict[str, Counter[str]] = {}
    for text in texts:
        found = verdict(text, read_codes(CarriedTexts(LEAD, {"Note": text.text}, DAY), book))
        counts.setdefault(text.kind, Counter())[found] += 1
    yield from table(counts, sum(text.key is not None and code_key(text.text) == text.key for text in texts))


def table(counts: dict[str, Counter[str]], whole_field: int) -> Iterator[str]:
    verdicts = ("right", "asked", "missed", "wrong", "spelt")
    yield "  " + f"{'text':<20}" + "".join(f"{name:>9}" for name in verdicts)
    for kind in sorted(counts):
        yield "  " + f"{kind:<20}" + "".join(f"{counts[kind][name]:>9,}" for name in verdicts)
    total = sum(counts.values(), Counter[str]())
    with_code = (
        sum(counts.values(), Counter[str]()) - counts.get("no code", Counter()) - counts.get("foreign code", Counter())
    )
    assigned = with_code["right"] + total["wrong"] + total["spelt"]
    yield (
        f"  precision {with_code['right'] / max(assigned, 1):.5f}, "
        f"recall {with_code['right'] / max(with_code.total(), 1):.4f}; "
        f"the lookup of the whole field alone: recall {whole_field / max(with_code.total(), 1):.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--codes", type=int, default=100_000)
    parser.add_argument("--texts", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for regime, make in REGIMES.items():
        chance = Random(f"{options.seed} {regime}")  # noqa: S311 - test data, not secrets
        codes, foreign = generated_codes(make, options.codes, chance)
        texts = [one_text(codes, foreign, chance) for _ in range(options.texts)]
        for line in report(regime, codes, texts):
            print(line, flush=True)


if __name__ == "__main__":
    main()
