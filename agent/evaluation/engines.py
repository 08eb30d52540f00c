"""Where an evaluation's answers come from: this process, or actors on a Ray cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from agent.errors import UsageError
from agent.evaluation.opening import OpenAnswerer, answer_alone, name_of_answerer, open_answerer
from agent.evaluation.plan import EvaluationPlan
from agent.settings import Settings
from tools.types import Value


class Engine(Value):
    """Ray or not, how many actors (None: two, or one an endpoint), and the endpoints that they share."""

    ray: bool = False
    workers: int | None = None
    endpoints: tuple[str, ...] = ()


@asynccontextmanager
async def open_engine(
    engine: Engine, plan: EvaluationPlan, settings: Settings
) -> AsyncIterator[OpenAnswerer]:
    """Open who answers, here or on the cluster.

    Raises:
        UsageError: the endpoints serve different models, or the plan names something that there is not.
        ServiceError: an endpoint cannot be reached.
        EngineUnavailable: Ray is missing, or its cluster cannot be reached.
        DatasetInvalid: the domain knowledge cannot be used.
    """
    if not engine.ray:
        async with open_answerer(plan, settings) as opened:
            yield opened
        return
    from evals.distributed import answer_on_ray

    each = [settings.model_copy(update={"vlm_url": url}) for url in engine.endpoints] or [settings]
    names = await asyncio.gather(*(name_of_answerer(plan, one) for one in each))
    if len(set(names)) > 1:
        raise UsageError(f"the endpoints serve different models ({', '.join(sorted(set(names)))}): name one")
    answerers = [partial(answer_alone, plan, one) for one in each]
    async with answer_on_ray(answerers, workers=engine.workers) as answer:
        yield OpenAnswerer(names[0], answer)
