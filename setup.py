"""Builds what is compiled: every .pyx under exchange/. Without a compiler the same runs in Python, slower.

Everything else about the package is in pyproject.toml. The package itself says at its first use which of the
two runs (`exchange.core`).
"""

import struct
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

# For any machine of the kind: no -march=native.
FLAGS = ["-O3", "-g0", "-fno-strict-aliasing", "-Wno-unused-function"]
SOURCES = sorted(Path("exchange").rglob("*.pyx"))

# They need 128-bit integers and read their records as they stand in memory.
FITS = sys.platform != "win32" and sys.byteorder == "little" and struct.calcsize("P") == 8

modules = [
    Extension(".".join(source.with_suffix("").parts), [str(source)], extra_compile_args=FLAGS)
    for source in SOURCES
]
extensions = cythonize(modules, build_dir="build", language_level=3, quiet=True) if FITS else []
for extension in extensions:
    extension.optional = True  # without a C compiler the build goes on

setup(ext_modules=extensions)
