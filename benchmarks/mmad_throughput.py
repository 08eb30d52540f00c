"""Questions a second on MMAD against a loop that asks as the published runners do, on the same vLLM server.

    python benchmarks/mmad_throughput.py --data DIR [--images N] [--vlm-url URL]

Without `--vlm-url` it starts the real vLLM of `make test-vllm` with its small random model. Three ways to ask
the same questions of the same images, in turn, each after a warm-up of its own:

    loop, free text    one question after another, one image after another, up to 128 tokens, as published;
                       a random model never ends its answer, a trained one does after a letter
    loop, one letter   the same loop, held to one letter: what is left is waiting
    agent eval mmad    many images in flight, an image's first question ahead of its others, one letter

Pictures are read, resized and encoded for each request in all three. Prefix-cache hits come from the server's
own metrics. Every way gets images of its own, so that none is served from what another left in the cache.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import asyncio
import os
import re
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory

from benchmarks import machine
from evals.log import RunFolder
from evals.mmad.dataset import read_mmad
from evals.mmad.reference.answering import ANSWER_TOKENS, ReferenceAnswerer
from evals.mmad.reference.prompts import Shown, messages, question_text
from evals.mmad.reference.sizes import as_shown
from evals.run import run_evaluation
from evals.spec import RunSpec
from evals.types import Benchmark, Case, Question
from tools.errors import VlmTruncated
from tools.image import ImageStore
from tools.types import Pixels
from tools.vlm.base import GREEDY, Choice
from tools.vlm.openai_compat import OpenAICompatibleModel

METRICS = ("vllm:prefix_cache_queries_total", "vllm:prefix_cache_hits_total")


@dataclass(frozen=True)
class Measured:
    """One way of asking: questions, seconds, and the share of prompt tokens that the server had cached."""

    name: str
    questions: int
    seconds: float
    cached: float

    @property
    def per_s(self) -> float:
        """Questions a second."""
        return self.questions / self.seconds


def parts(benchmark: Benchmark, images: int, ways: int) -> list[Benchmark]:
    """So many images for each way, none twice.

    Exits where there are too few.
    """
    if len(benchmark.cases) < images * ways:
        sys.exit(f"{benchmark.root} has {len(benchmark.cases)} images; {ways} x {images} are needed")
    return [
        replace(benchmark, cases=benchmark.cases[way * images : (way + 1) * images]) for way in range(ways)
    ]


async def loop(model: OpenAICompatibleModel, benchmark: Benchmark, *, one_letter: bool) -> int:
    """One question after another, everything read and encoded anew for each; how many were asked."""
    for case in benchmark.cases:
        for question in case.questions:
            await asked_alone(model, case, question, one_letter=one_letter)
    return benchmark.questions


async def asked_alone(
    model: OpenAICompatibleModel, case: Case, question: Question, *, one_letter: bool
) -> None:
    """One request of the published protocol."""
    images = ImageStore(cache_bytes=0)

    def picture(path: Path) -> Pixels:
        return as_shown(images.pixels(images.open(path)), model, "qwen2.5-vl")

    shown = Shown(query=picture(case.path), templates=tuple(map(picture, case.templates("random", 1))))
    sampling = replace(GREEDY, max_tokens=ANSWER_TOKENS)
    constraint = Choice(question.asked.letters) if one_letter else None
    asked = messages(shown, question_text(question))
    with suppress(VlmTruncated):  # a random model goes on until it is stopped; the runners read what came
        await model.complete(asked, constraint=constraint, sampling=sampling)


async def in_flight(model: OpenAICompatibleModel, benchmark: Benchmark, folder: Path) -> int:
    """The same questions by the product's own runner, into a run folder."""
    images = ImageStore()
    answerer = ReferenceAnswerer(model, read=lambda path: images.pixels(images.open(path)))
    spec = RunSpec(
        benchmark="mmad",
        protocol="reference",
        answered_by=f"vlm:{model.name}",
        settings={},
        subset={},
        versions={},
        data=str(benchmark.root),
        files={},
    )
    with RunFolder.open(folder, spec) as run:
        outcome = await run_evaluation(benchmark, answerer.answer, run)
    if outcome.open:
        sys.exit(f"{outcome.open} questions were not answered: {outcome.first_fault}")
    return benchmark.questions


def measured(name: str, url: str, ask: Callable[[OpenAICompatibleModel], Awaitable[int]]) -> Measured:
    """Ask in one way, on connections of its own."""

    async def timed() -> tuple[int, float]:
        model = OpenAICompatibleModel(url, max_concurrency=1024)
        try:
            await model.health()
            started = time.perf_counter()
            return await ask(model), time.perf_counter() - started
        finally:
            await model.aclose()

    before = counters(url)
    questions, seconds = asyncio.run(timed())
    queried, hit = (after - was for after, was in zip(counters(url), before, strict=True))
    return Measured(name, questions, seconds, hit / queried if queried else float("nan"))


def counters(url: str) -> tuple[float, ...]:
    """Prompt tokens that the server looked up in its prefix cache so far, and those that it found."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return tuple(
        sum(
            float(value) for value in re.findall(rf"^{re.escape(name)}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
        )
        for name in METRICS
    )


@contextmanager
def server(url: str | None, folder: Path) -> Iterator[str]:
    """The given server, or one with the tests' small model."""
    if url is not None:
        yield url
        return
    from tests.vllm.server import built_model, built_python, running_server

    python = built_python()
    with running_server(python, built_model(python), folder) as started:
        yield started.base_url


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("INSPECTION_DATA"), help="an MMAD folder")
    parser.add_argument("--images", type=int, default=12, help="images for each way of asking")
    parser.add_argument("--vlm-url", help="a running vLLM; left out, the tests' own is started")
    given = parser.parse_args(arguments)
    if given.data is None:
        parser.error("give --data DIR, a folder with mmad.json")
    root = given.data if (given.data / "mmad.json").exists() else given.data / "mmad_deeppcb"
    warm, *shares = parts(read_mmad(root), given.images, 4)
    print(f"machine: {machine.describe()}", flush=True)
    with TemporaryDirectory() as scratch, server(given.vlm_url, Path(scratch)) as url:
        few = replace(warm, cases=warm.cases[:2])
        asyncio.run(_warm(url, few, Path(scratch) / "warm"))
        ways = (
            measured("loop, free text", url, lambda model: loop(model, shares[0], one_letter=False)),
            measured("loop, one letter", url, lambda model: loop(model, shares[1], one_letter=True)),
            measured(
                "agent eval mmad", url, lambda model: in_flight(model, shares[2], Path(scratch) / "run")
            ),
        )
    ours = ways[-1]
    print(f"data: {root.name}, {given.images} images for each way, reference protocol, 1 template")
    print(f"{'':18}{'questions':>10}{'seconds':>9}{'per s':>8}{'cached':>9}{'ours is':>10}")
    for way in ways:
        ratio = f"{ours.per_s / way.per_s:.1f}x"
        told = f"{way.questions:10d}{way.seconds:9.1f}{way.per_s:8.2f}{100 * way.cached:8.0f}%"
        print(f"{way.name:18}{told}{ratio:>10}", flush=True)


async def _warm(url: str, benchmark: Benchmark, folder: Path) -> None:
    """The first requests compile grammars and kernels; nobody's time counts them."""
    model = OpenAICompatibleModel(url)
    await model.health()
    await loop(model, benchmark, one_letter=False)
    await loop(model, benchmark, one_letter=True)
    await in_flight(model, benchmark, folder)
    await model.aclose()


if __name__ == "__main__":
    main()
