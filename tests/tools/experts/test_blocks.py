"""Blocks run on several threads, and leave the BLAS as they found it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from tools.experts.blocks import run_blocks


def blas_threads():
    return {pool["num_threads"] for pool in ThreadpoolController().info() if pool["user_api"] == "blas"}


def test_every_block_is_done_once_under_one_thread_and_the_limit_goes():
    before, done, seen = blas_threads(), np.zeros(50, int), []

    def work(start):
        done[start] += 1
        seen.append(blas_threads())

    run_blocks(work, range(50))
    assert (done == 1).all()
    assert all(threads == {1} for threads in seen)
    assert blas_threads() == before


def test_callers_that_overlap_do_not_lift_each_others_limit():
    inside, leave, seen = threading.Event(), threading.Event(), []

    def long_work(_):
        inside.set()
        leave.wait(10)
        seen.append(blas_threads())

    long = threading.Thread(target=run_blocks, args=(long_work, [0]))
    long.start()
    inside.wait(10)
    run_blocks(lambda _: None, [0])
    leave.set()
    long.join()
    assert seen == [{1}]


def test_what_fails_in_a_block_is_heard_and_the_limit_goes():
    before = blas_threads()
    with pytest.raises(ZeroDivisionError):
        run_blocks(lambda start: 1 // start, [1, 0])
    assert blas_threads() == before
