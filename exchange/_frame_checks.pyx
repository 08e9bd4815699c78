# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: infer_types=False, embedsignature=False
# distutils: include_dirs = exchange exchange/history
# distutils: depends = exchange/frame_checks.h exchange/history/sha256.h exchange/history/sha256_two.h
"""Checksums and hashes of frames, compiled: see frame_checks.py."""

from libc.stdint cimport uint8_t as u8, uint32_t as u32
from libc.stdlib cimport free, malloc
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize

cdef extern from "frame_checks.h":
    void carat_crc_prepare() noexcept nogil
    int carat_checks_are_fast() noexcept nogil
    u32 carat_crc(const u8 *data, size_t bytes, int fast) noexcept nogil
    void carat_sha_pair(
        const u8 *one, size_t one_blocks, const u8 *two, size_t two_blocks, int fast, u8 *out_one, u8 *out_two
    ) noexcept nogil

ctypedef struct Place:
    size_t start
    size_t payload
    u32 crc
    u8 digest[32]

cdef enum:
    BLOCK = 64

carat_crc_prepare()
cdef int IS_FAST = carat_checks_are_fast()  # asked once: a virtual machine takes long to answer


def checks(view not None, list places not None, bint fast=True):
    """Return (CRC-32 of the payload, SHA-256 of head and payload) for each (offset, payload bytes) of `places`."""
    cdef Py_buffer run
    cdef size_t n = len(places), i
    cdef Place *found
    cdef Place *p
    cdef Place *q
    cdef const u8 *data
    cdef int is_fast = fast and IS_FAST
    if n == 0:
        return []
    found = <Place *>malloc(n * sizeof(Place))
    if found == NULL:
        raise MemoryError
    try:
        PyObject_GetBuffer(view, &run, PyBUF_SIMPLE)
        try:
            for i in range(n):
                found[i].start, found[i].payload = places[i]
                if found[i].payload == 0 or found[i].payload % BLOCK or (
                    found[i].start + BLOCK + found[i].payload > <size_t>run.len
                ):
                    raise ValueError(f"{places[i]} is no frame of {run.len} bytes")
            data = <const u8 *>run.buf
            with nogil:
                for i in range(0, n, 2):
                    p = &found[i]
                    q = &found[i + 1] if i + 1 < n else NULL
                    carat_sha_pair(
                        data + p.start, p.payload // BLOCK + 1,
                        data + q.start if q != NULL else NULL, q.payload // BLOCK + 1 if q != NULL else 0,
                        is_fast, p.digest, q.digest if q != NULL else NULL,
                    )
                    p.crc = carat_crc(data + p.start + BLOCK, p.payload, is_fast)
                    if q != NULL:
                        q.crc = carat_crc(data + q.start + BLOCK, q.payload, is_fast)
            return [
                (found[i].crc, PyBytes_FromStringAndSize(<const char *>found[i].digest, 32)) for i in range(n)
            ]
        finally:
            PyBuffer_Release(&run)
    finally:
        free(found)
