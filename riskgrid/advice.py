"""What would make a run faster: rules that look at where its time went, each with the sentence it says."""

from __future__ import annotations

from collections.abc import Iterator

from riskgrid.spent import Times

__all__ = ["advice"]

#: Valuations below which a block costs more to send, store and find than to price, on any machine.
_TINY = 20_000


def advice(times: Times) -> Iterator[str]:
    """A sentence of each rule that has something to say, or that nothing stands out."""
    said = [sentence for rule in _RULES if (sentence := rule(times))]
    if not said:
        share = sum(times.pricing.values()) / (times.wall * times.labour.workers)
        said = [f"Nothing stands out: {share:.0%} of the workers' time is pricing."]
    yield from said


def _nothing_priced(times: Times) -> str:
    return "Every block was found in the store; nothing was priced." if not times.labour.valuations() else ""


def _small_blocks(times: Times) -> str:
    median, around = times.median(), times.around()
    few = times.labour.valuations() < _TINY * times.blocks
    if times.blocks < 16 * times.labour.workers or median <= 0.0 or not (few or median < 2.0 * around):
        return ""
    return (
        f"Blocks are tiny: half of {times.blocks:,} price within {1e3 * median:.2f} ms, and {1e3 * around:.2f} ms goes "
        f"into all that is around each; raise cut (it is {times.cut:,})."
    )


def _slow_store(times: Times) -> str:
    if times["writing"] < 0.25 * times.busy or times["writing"] < 0.05:
        return ""
    speed = times.labour.bytes_written / 1e6 / times["writing"]
    return (
        f"The store is slow: workers spend {times['writing'] / times.busy:.0%} of their busy time writing, at "
        f"{speed:,.0f} MB/s; put it on a faster disk (RISKGRID_HOME)."
    )


def _one_dominates(times: Times) -> str:
    priced = {name: s for name, s in times.pricing.items() if times.labour.instruments[name]["valuations"]}
    if len(priced) < 2:
        return ""
    (name, seconds), *others = priced.items()
    count = {one: times.labour.instruments[one]["valuations"] for one in priced}
    each = seconds / count[name]
    rest = sum(s for _, s in others) / sum(count[one] for one, _ in others)
    if seconds < 0.6 * sum(priced.values()) or each < 3.0 * rest:
        return ""
    share = seconds / sum(priced.values())
    return (
        f"One instrument dominates: {name} takes {share:.0%} of all pricing, {1e9 * each:.0f} ns a valuation against "
        f"{1e9 * rest:.0f} of the others; its pricer is where time can be won."
    )


def _few_blocks(times: Times) -> str:
    whole = times.wall * times.labour.workers
    if times["short at the end"] < 0.2 * whole or times["short at the end"] < 0.1:
        return ""
    return (
        f"Workers ran out of work: {times['short at the end'] / whole:.0%} of their time lies after the last task was "
        f"sent; {times.blocks:,} blocks for {times.labour.workers} workers are few, lower cut (it is {times.cut:,}) or "
        "ask for fewer workers."
    )


def _planning_bound(times: Times) -> str:
    whole = times.wall * times.labour.workers
    if times["short while planning"] < 0.25 * whole or times["planning"] < max(0.25 * times.wall, 0.1):
        return ""
    return (
        f"Workers waited for the plan: planning takes {times['planning']:.2f} of {times.wall:.2f} s; a what-if on a "
        "finished run plans only what changed."
    )


def _starting(times: Times) -> str:
    outside = times.wall - times["all"] - times["commit"]
    if outside < max(0.4 * times.wall, 1.0):
        return ""
    return (
        f"{outside:.1f} of {times.wall:.1f} s passed before any work could start: where that is the start of worker "
        "processes, keep them standing and hand run their address or client."
    )


def _compiled(times: Times) -> str:
    if times["compiling"] < max(0.2 * times.busy, 0.1):
        return ""
    return (
        f"Kernels were compiled for {times['compiling']:.1f} s: that happens once per machine and version; where it "
        "comes back, keep __pycache__ of riskgrid or NUMBA_CACHE_DIR between processes, or in the image."
    )


def _transport(times: Times) -> str:
    if times.between < 0.25 * times.wall * times.labour.workers or times.between < 0.1:
        return ""
    return (
        f"Scheduler and transport take {times.between / (times.wall * times.labour.workers):.0%} of the workers' time, "
        f"{1e3 * times.between / max(times.labour.tasks, 1):.0f} ms a task; work this small is faster in threads."
    )


_RULES = (
    _nothing_priced,
    _small_blocks,
    _slow_store,
    _one_dominates,
    _few_blocks,
    _planning_bound,
    _starting,
    _compiled,
    _transport,
)
