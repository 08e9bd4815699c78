"""Builds the compiled engine core. What cannot compile it gets the reference: the same answers, slower.

Everything else about the package is in pyproject.toml. The package itself says at its first use which of the
two runs (`exchange.core`).
"""

import struct
import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

CORE = Extension(
    "exchange.core._compiled",
    ["exchange/core/_compiled.pyx"],
    # For any machine of the kind: no -march=native.
    extra_compile_args=["-O3", "-g0", "-fno-strict-aliasing", "-Wno-unused-function"],
)

# The core needs 128-bit integers and reads its records as they stand in memory.
FITS = sys.platform != "win32" and sys.byteorder == "little" and struct.calcsize("P") == 8

extensions = cythonize([CORE], build_dir="build", language_level=3, quiet=True) if FITS else []
for extension in extensions:
    extension.optional = True  # without a C compiler the build goes on

setup(ext_modules=extensions)
