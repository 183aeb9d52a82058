"""Images a second of SimCLR with a ResNet-18 on rendered images, by precision, on a GPU.

    python -m benchmarks.gpu_throughput

The package's own training loop takes its steps, drawing of the images included: 1,024 pairs a step, so 2,048 images.
After a warm-up as many steps are timed several times over; the device is waited for before and after. Each
configuration stands alone in memory while it runs. "float32" is as torch has it by default, whose convolutions round
factors to TF32 on a GPU that can. Writes `results/benchmarks/gpu_throughput.csv`, a row a repeat, with the device's
name. Exit codes: 0 all was measured, 1 a configuration failed, which the table names, 2 there is no such device.

`--tiny --device cpu` goes through the same code in seconds; its figures mean nothing and are not kept unless asked for.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks import _tables
from mibounds.errors import MiboundsError, ParameterError
from mibounds.representation.batches import stacked_pairs
from mibounds.representation.distributed import device_of
from mibounds.representation.loop import Precision, Pretrainer
from mibounds.representation.recipe import Recipe
from mibounds.representation.sources import Pairs
from mibounds.representation.sources.images import Images
from mibounds.representation.views.augment import Augment
from mibounds.seeding import Seed, generator, seed_of

PINNED = False
TABLE = _tables.path_of("gpu_throughput")
GIB = 2**30
VIEWS = ("rendered", "augmented")


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        pixels: along each side.
        width: of the ResNet-18's first stage.
        warmup: steps that are not timed; compilation falls into them.
        steps: that are timed together, `repeats` times.
    """

    batch_size: int = 1024
    pixels: int = 32
    width: int = 64
    warmup: int = 5
    steps: int = 10
    repeats: int = 7


TINY = Size(batch_size=4, pixels=8, width=2, warmup=1, steps=1, repeats=2)


class AugmentedImages(Images):
    """Rendered scenes whose two views also went through SimCLR's crops and colours."""

    augment = Augment()

    def pairs(self, n: int, seed: Seed, **options: Any) -> Pairs:
        pairs = super().pairs(n, seed, **options)
        source = generator(seed_of("augment", seed) if isinstance(seed, int) else seed, pairs.view_a.device)
        return pairs._replace(
            view_a=self.augment(pairs.view_a, source), view_b=self.augment(pairs.view_b, source)
        )


def source_of(size: Size, views: str) -> Images:
    """By the renderer's own styles alone, or augmented on top."""
    made = AugmentedImages if views == "augmented" else Images
    return made(size=size.pixels)


def training(size: Size, views: str, precision: Precision, compiled: bool, device: str) -> Pretrainer:
    """With more steps than will be taken, so that no look for collapse falls among the timed ones."""
    steps = size.warmup + size.steps * size.repeats + 1
    recipe = Recipe(
        "simclr",
        method_options={"temperature": 0.2},
        encoder="resnet18",
        encoder_options={"width": size.width},
        embedding=128,
        steps=steps,
        batch_size=size.batch_size,
        check_every=steps,
        precision=precision,
        compile=compiled,
    )
    return recipe.build(device, source_of(size, views))


def seconds_of_training(size: Size, trained: Pretrainer) -> list[float]:
    """Of `size.steps` steps, once a repeat."""
    trained.fit(size.warmup)
    return [timed(trained.device, lambda: trained.fit(size.steps)) for _ in range(size.repeats)]


def seconds_of_drawing(size: Size, views: str, device: torch.device) -> list[float]:
    """Of the batches of `size.steps` steps alone, once a repeat."""
    batches = stacked_pairs([source_of(size, views)], [0], size.batch_size, device=device)

    def draw(steps: int) -> None:
        for _ in range(steps):
            next(batches)

    draw(size.warmup)
    return [timed(device, lambda: draw(size.steps)) for _ in range(size.repeats)]


def timed(device: torch.device, act: Any) -> float:
    """Seconds until the device is done."""
    _wait(device)
    started = time.perf_counter()
    act()
    _wait(device)
    return time.perf_counter() - started


def rows_of(
    what: str, size: Size, views: str, device: torch.device, precision: Precision, compiled: bool
) -> list[dict[str, Any]]:
    """A row a repeat; one with the reason if the configuration fails."""
    row = {
        "device": name_of(device),
        "torch": torch.__version__,
        "what": what,
        "precision": precision,
        "compiled": compiled,
        "views": views,
        "batch_size": size.batch_size,
        "pixels": size.pixels,
        "steps": size.steps,
    }
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    try:
        if what == "drawing":
            seconds = seconds_of_drawing(size, views, device)
        else:
            seconds = seconds_of_training(size, training(size, views, precision, compiled, str(device)))
    except ParameterError as error:
        empty = dict.fromkeys(("repeat", "seconds", "images_a_second", "peak_memory_gib"))
        return [{**row, **empty, "status": str(error)}]
    peak = torch.cuda.max_memory_allocated(device) / GIB if device.type == "cuda" else None
    images = 2 * size.batch_size * size.steps
    return [
        {
            **row,
            "repeat": i,
            "seconds": s,
            "images_a_second": images / s,
            "peak_memory_gib": peak,
            "status": "ok",
        }
        for i, s in enumerate(seconds)
    ]


def measure(size: Size, views: str, device: torch.device, compiled: bool) -> pd.DataFrame:
    """Drawing alone, then training in either precision, compiled too if asked for."""
    settings: list[tuple[Precision, bool]] = [("float32", False), ("bfloat16", False)]
    settings += [("float32", True), ("bfloat16", True)] if compiled else []
    rows = rows_of("drawing", size, views, device, "float32", False)
    for precision, through_compiler in settings:
        rows += rows_of("training", size, views, device, precision, through_compiler)
    return pd.DataFrame(rows)


def text_of(table: pd.DataFrame) -> str:
    """A line a configuration: median and spread of images a second, memory, and the ratio to plain float32."""
    ok = table[table["status"] == "ok"]
    plain = ok[(ok["what"] == "training") & (ok["precision"] == "float32") & ~ok["compiled"]][
        "images_a_second"
    ]
    lines = [f"{table['device'][0]}, torch {table['torch'][0]}, {table['batch_size'][0]} pairs a step"]
    for (what, precision, compiled), rows in table.groupby(["what", "precision", "compiled"], sort=False):
        name = what if what == "drawing" else f"{what}, {precision}{', compiled' if compiled else ''}"
        speed = rows["images_a_second"]
        if rows["status"].iloc[0] != "ok":
            lines.append(f"  {name:28} failed: {rows['status'].iloc[0]}")
            continue
        line = f"  {name:28} {speed.median():12,.0f} images/s ({speed.min():,.0f} .. {speed.max():,.0f})"
        peak = rows["peak_memory_gib"].iloc[0]
        line += "" if peak is None or pd.isna(peak) else f", {peak:.2f} GiB at most"
        if what == "training" and len(plain):
            line += f", {speed.median() / plain.median():.2f} of float32's"
        lines.append(line)
    return "\n".join(lines)


def name_of(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def _require(size: Size) -> None:
    for name in ("batch_size", "steps", "repeats"):
        if getattr(size, name) < 1:
            raise ParameterError(f"{name} must be at least 1; got {getattr(size, name)}")


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.gpu_throughput", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch-size", type=int, help=f"pairs a step (default: {Size.batch_size})")
    parser.add_argument("--steps", type=int, help=f"timed together (default: {Size.steps})")
    parser.add_argument("--repeats", type=int, help=f"(default: {Size.repeats})")
    parser.add_argument("--views", choices=VIEWS, default="rendered", help="(default: %(default)s)")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--tiny", action="store_true", help="a few images, not compiled: to test the code")
    parser.add_argument("--out", type=Path, help=f"the table (default: {TABLE}; with --tiny, none)")
    options = parser.parse_args(arguments)
    given = {name: getattr(options, name) for name in ("batch_size", "steps", "repeats")}
    size = replace(TINY if options.tiny else Size(), **{n: v for n, v in given.items() if v is not None})
    try:
        _require(size)
        device = device_of(options.device)
        if device.type != "cuda" and not options.tiny:
            raise ParameterError(
                f"throughput is measured on a GPU; got {options.device}; add --tiny to try the code"
            )
        table = measure(size, options.views, device, not (options.tiny or options.no_compile))
    except MiboundsError as error:
        print(f"gpu_throughput: nothing was measured: {error}", file=sys.stderr)
        return 2
    out = options.out or (None if options.tiny else TABLE)
    if out is not None:
        _tables.write(out, table)
    print(text_of(table))
    return 0 if (table["status"] == "ok").all() else 1


if __name__ == "__main__":
    sys.exit(main())
