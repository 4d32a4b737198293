#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints how many cases of one of Meson's JUnit files passed, failed and were skipped: three numbers."""
import sys
import xml.etree.ElementTree as ElementTree

passed = failed = skipped = 0
try:
    cases = list(ElementTree.parse(sys.argv[1]).iter("testcase"))
except (OSError, ElementTree.ParseError) as error:
    print(0, 0, 0)
    sys.exit(str(error))
for case in cases:
    if case.find("failure") is not None or case.find("error") is not None:
        failed += 1
    elif case.find("skipped") is not None:
        skipped += 1
    else:
        passed += 1
print(passed, failed, skipped)
