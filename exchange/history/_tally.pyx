# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: infer_types=False, embedsignature=False
# distutils: include_dirs = exchange/history
# distutils: depends = exchange/history/sha256.h exchange/history/sha256_two.h
"""The compiled tally: the reference's roots and deltas (tally.py)."""

include "../core/native/types.pxi"
include "../core/native/records.pxi"
include "native/rows.pxi"
include "native/ids.pxi"
include "native/chains.pxi"
include "native/taking.pxi"
include "native/tape.pxi"
include "native/tally.pxi"

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize

from exchange.history.refusals import CollectorChanged
from exchange.netting import Delta
from exchange.tape import EMPTY_ROOT

assert sizeof(Report) == 128

cdef dict FAILURES = {
    TRADE_MISSING: "a trade is missing", NO_COLLECTOR: "a fee that nobody collects", UNNAMED: "a trade without names",
}


cdef object signed_wide(i128 number):
    return (int(<i64>(number >> 64)) << 64) | int(<u64>number)


cdef object unsigned_wide(u128 number):
    return (int(<u64>(number >> 64)) << 64) | int(<u64>number)


cdef class CompiledTally:
    """The tally, compiled. The reference says what it does."""

    is_compiled = True
    cdef Tally y

    def __init__(self, fast=True):
        tally_init(&self.y, sha_is_fast() and fast)

    def __dealloc__(self):
        free(self.y.names.accounts)
        free(self.y.names.units)
        free(self.y.names.collectors)
        free(self.y.net.moved)

    @property
    def trades(self):
        """How many trades there were."""
        return self.y.trades

    @property
    def epochs(self):
        """How many epochs were closed."""
        return self.y.epoch - 1

    def take(self, reports not None):
        """Take reports in; return the epochs that they close."""
        cdef Py_buffer run
        cdef const Report *r
        cdef u64 n, at = 0, done
        cdef int found
        closed = []
        PyObject_GetBuffer(reports, &run, PyBUF_SIMPLE)
        try:
            r = <const Report *>run.buf
            n = <u64>run.len // sizeof(Report)
            while at < n:
                with nogil:
                    found = tally_run(&self.y, r + at, n - at, &done)
                at += done
                if found == COLLECTOR_CHANGED:
                    raise CollectorChanged(instrument=r[at].instrument)
                if found == CLOSES:
                    assert (r[at].number, r[at].left) == (self.y.epoch, self.y.first), "an epoch is missing"
                    assert r[at].quantity == self.y.trades + 1 - self.y.first, "an epoch of other trades"
                    closed.append((r[at].number, r[at].left, r[at].quantity, self.root(), self.net()))
                    self.begin()
                    at += 1
                elif found:
                    raise AssertionError(FAILURES[found])
        finally:
            PyBuffer_Release(&run)
        return closed

    cdef void begin(self):
        cdef Tally *y = &self.y
        y.epoch += 1
        y.first = y.trades + 1
        y.leaves_used = y.trees_used = 0
        y.trees = 0
        if y.net.moved != NULL:
            memset(y.net.moved, 0, (y.net.mask + 1) * sizeof(Moved))
        y.net.n = 0

    def root(self):
        """Return the tape root of the open epoch's trades so far."""
        cdef u8 root[32]
        if self.y.trades + 1 == self.y.first:
            return EMPTY_ROOT
        with nogil:
            tally_root(&self.y, root)
        return PyBytes_FromStringAndSize(<const char *>root, 32)

    def net(self):
        """Return what the open epoch's trades moved so far."""
        cdef u64 i
        cdef Moved *m
        cdef Rec *c = &self.y.names
        found = []
        for i in range(self.y.net.mask + 1 if self.y.net.moved != NULL else 0):
            m = &self.y.net.moved[i]
            if m.key and (m.tonnes or m.cash):
                account = <bytes>(<const char *>account_of(c, <u32>m.key))[:20]
                unit = unsigned_wide(c.units[<u32>(m.key >> 32) - 1])
                found.append((unit, account, signed_wide(m.tonnes), signed_wide(m.cash)))
        found.sort()
        return [Delta(account, unit, tonnes, cash) for unit, account, tonnes, cash in found]
