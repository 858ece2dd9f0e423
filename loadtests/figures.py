"""Figures of one scenario, gathered round by round."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Spread(NamedTuple):
    """The median of all rounds, and the range they were in."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Round:
    """One round: how long, which latencies, and what it cost in CPU seconds (server with its database; generator)."""

    seconds: float
    latencies_ms: Sequence[float]
    messages: int
    cpu_s: float
    generator_cpu_s: float


@dataclass(slots=True)
class Result:
    """What a scenario came to. `problems`: lost messages, wrong order, refusals; empty when all is well."""

    scenario: str
    database: str
    rounds: list[Round] = field(default_factory=list)
    events_per_transaction: float = 0.0
    statements_per_message: float = 0.0
    memory_mib: tuple[float, float] = (0.0, 0.0)  # now, peak
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what else was found, in words

    def spreads(self) -> dict[str, Spread]:
        """Each figure over all rounds."""
        per_round = [_figures(one) for one in self.rounds]
        return {
            name: _spread([one[name] for one in per_round]) for name in (per_round[0] if per_round else ())
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _figures(one: Round) -> dict[str, float]:
    return {
        "messages/s": one.messages / one.seconds,
        "p50 ms": percentile(one.latencies_ms, 0.50),
        "p99 ms": percentile(one.latencies_ms, 0.99),
        "CPU s/1000": one.cpu_s / one.messages * 1000 if one.messages else 0.0,
        "generator CPU %": one.generator_cpu_s / one.seconds * 100,
    }


def _spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))
