"""Runs a function in several processes at once, which start together."""

import traceback

from tests.forking import forking


def together(count, work, *arguments):
    """What ``work(*arguments, number)`` returned in each of so many fresh processes."""
    context = forking()
    barrier, results = context.Barrier(count), context.Queue()
    processes = [context.Process(target=_begin, args=(barrier, results, work, arguments, n)) for n in range(count)]
    for process in processes:
        process.start()
    found = dict(results.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(60)
    failed = [answer for answer in found.values() if isinstance(answer, _Failure)]
    assert not failed, failed[0].told
    return [found[number] for number in range(count)]


class _Failure:
    def __init__(self, told):
        self.told = told


def _begin(barrier, results, work, arguments, number):
    try:
        barrier.wait(60)
        results.put((number, work(*arguments, number)))
    except BaseException:
        results.put((number, _Failure(traceback.format_exc())))
