# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: infer_types=False, embedsignature=False
"""The frequent commands and their answers, without an object for each: JSON's dicts to records, reports to JSON.

Whatever is not frequent, or not right, is left to who calls: `exchange.gateway.wire` reads and writes everything.
What is done here is done to the same bytes as there.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_CheckExact, PyDict_GetItem, PyDict_Size
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset, strlen

ctypedef uint8_t u8
ctypedef uint16_t u16
ctypedef uint32_t u32
ctypedef uint64_t u64

cdef extern from *:
    """
    typedef unsigned __int128 carat_u128;
    """
    ctypedef unsigned long long u128 "carat_u128"

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object text)
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    void *PyUnicode_DATA(object text)
    bint PyLong_CheckExact(object number)
    long long PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1

include "../core/native/records.pxi"

assert sizeof(Command) == 64 and sizeof(Report) == 128

# Numbers of exchange.core.codes.
cdef enum:
    NEW = 13
    CANCEL = 14
    ACCEPTED = 1
    RESTED = 2
    TRADE = 3
    FILLED = 4
    CANCELLED = 5
    BUY = 1
    SELL = 2
    LIMIT = 1
    MARKET = 2
    GTC = 1
    IOC = 4
    FOK = 5
    PARKED = 2
    BY_CLIENT = 1
    UNFILLED = 2
    CASH_EXHAUSTED = 3
    SELF_TRADE = 4

    ROOM = 1024  # more than any report comes to

cdef int8_t NIBBLES[256]
cdef char HEX_PAIRS[512]
cdef char DIGIT_PAIRS[200]


cdef void fill_tables() noexcept:
    cdef int i
    cdef const char *digits = b"0123456789abcdef"
    for i in range(256):
        NIBBLES[i] = -1
        HEX_PAIRS[2 * i] = digits[i >> 4]
        HEX_PAIRS[2 * i + 1] = digits[i & 15]
    for i in range(10):
        NIBBLES[48 + i] = <int8_t>i
    for i in range(6):
        NIBBLES[97 + i] = NIBBLES[65 + i] = <int8_t>(10 + i)
    for i in range(100):
        DIGIT_PAIRS[2 * i] = <char>(48 + i // 10)
        DIGIT_PAIRS[2 * i + 1] = <char>(48 + i % 10)


fill_tables()


include "native/commands.pxi"
include "native/answers.pxi"
