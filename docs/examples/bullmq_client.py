"""
BullMQ's own Python client (`pip install bullmq==3.4.4`): a `promoted` job in the relay's queue. For those who reach its
Redis, in REDIS_URL, and not its server. The data are the fields of `POST /v1/promotions`; what is wrong with them is
told among the dead letters, not here.
"""

from __future__ import annotations

import asyncio
import os

from bullmq import Queue


async def promote() -> None:
    queue = Queue("promotions", {"connection": os.environ["REDIS_URL"], "prefix": "{relay:0}:bull"})
    promotion = {"model": "fraud-detector", "version": "5", "accuracy": 0.9234}
    job = await queue.add("promoted", promotion, {"removeOnComplete": True})
    print(job.id)
    await queue.close()


asyncio.run(promote())
