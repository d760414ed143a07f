#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tells tests/run what a pytest run's XML says: `passed N`, `failed NAME`, `skipped NAME: WHY`, `figure TEXT`
(what a test has measured), tab-separated."""
import os
import sys
import xml.etree.ElementTree as ET


def main(path):
    if not os.path.exists(path):
        return
    passed = 0
    for case in ET.parse(path).iter('testcase'):
        name = '%s::%s' % (case.get('classname', '').split('.')[-1], case.get('name', ''))
        skip = case.find('skipped')
        for figure in case.iter('property'):
            if figure.get('name') == 'figure':
                print('figure\t' + figure.get('value', ''))
        if case.find('failure') is not None or case.find('error') is not None:
            print('failed\t' + ' '.join(name.split()))
        elif skip is not None:
            print('skipped\t' + ' '.join((name + ': ' + skip.get('message', '')).split()))
        else:
            passed += 1
    print('passed\t%d' % passed)


if __name__ == '__main__':
    main(sys.argv[1])
