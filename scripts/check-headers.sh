#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles every public header alone, as C11 and as C++17, with warnings as errors; twice included, it must change nothing. Each is
# installed, and in dipole.h.
set -euo pipefail
cd "$(dirname "$0")/.."

flags=(-Wall -Wextra -Wshadow -pedantic -Werror -fsyntax-only -Iinclude)
status=0
for header in include/dipole/*.h; do
    name=dipole/${header##*/}
    source="#include <$name>
#include <$name>
"
    grep -q "'$header'" meson.build || { status=1 && echo "$name is not installed" >&2; }
    [ "$name" = dipole/dipole.h ] || grep -q "<$name>" include/dipole/dipole.h || { status=1 && echo "$name is not in dipole.h" >&2; }
    "${CC:-cc}" -std=c11 "${flags[@]}" -x c - <<<"$source" || { status=1 && echo "$name fails as C11" >&2; }
    "${CXX:-c++}" -std=c++17 "${flags[@]}" -x c++ - <<<"$source" || { status=1 && echo "$name fails as C++17" >&2; }
done
exit $status
