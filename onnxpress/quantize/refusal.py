"""Why no model fits a device within all budgets, and what comes nearest, in one line."""

from __future__ import annotations

import math
from collections.abc import Iterable

from onnxpress.quantize.device import Device, Need
from onnxpress.quantize.ranking import best_scored
from onnxpress.quantize.verdicts import Drop, Outcome, Verdict


def refusal(verdicts: Iterable[Verdict], device: Device, plain: tuple[Need, ...], why: str) -> str:
    """Name the budgets that cannot be met at once, or the one that nothing meets.

    ``plain`` is what the plain model takes; ``why`` it cannot run on the device, if that is so.
    """
    tried = list(verdicts)
    limits = ", ".join(f"{key}: {limit:g}" for key, limit in device.limits.items())
    fitting = [each for each in tried if each.drops]
    nearest = best_scored(fitting)
    if nearest is not None:
        begun = f"no model is within {device.key} ({limits}) and {device.losses} at once: "
        return f"{begun}of those that fit {nearest.name} comes nearest, {_lost(nearest, device)}"
    sizes = {each.name: each.needs for each in tried if each.outcome is Outcome.DOES_NOT_FIT}
    shares = {name: _share(needs) for name, needs in {**sizes, "the plain model": plain}.items()}
    name = min(shares, key=lambda each: shares[each])
    if shares[name] == math.inf:
        return f"no model runs within {device.key} ({limits}): {why}"
    over = ", ".join(str(need) for need in sizes.get(name, plain) if need.exceeded)
    return f"no model fits {device.key}: {name} comes nearest, with {over}; allow more"


def _share(needs: tuple[Need, ...]) -> float:
    """The greatest share of a limit that is taken; infinite if the model cannot run there."""
    return max(math.inf if need.value is None else need.value / need.limit for need in needs)


def _lost(nearest: Verdict, device: Device) -> str:
    """What the best of those that fit loses, and how to allow it."""
    over = [drop for drop in nearest.drops if drop.exceeded]
    if not over:
        return f"but it is {nearest.outcome}: {nearest.reason}"
    lost = ", ".join(map(str, over))
    cure = ", ".join(f"{drop.loss.key}: {_enough(drop)}" for drop in over)
    return f"with {lost}; allow it by {cure} in {device.losses}, or allow more in {device.key}"


def _enough(drop: Drop) -> str:
    """A limit that allows a loss."""
    loss = drop.loss
    values = [value for value in (loss.value, loss.upper) if value is not None]
    if not all(map(math.isfinite, values)) or max(values) <= drop.limit:
        return "null"
    return f"{math.ceil(max(values) * 1e4) / 1e4:g}"
