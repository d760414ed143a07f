#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Feeds lint.py trees with one fault each, and clean ones: a checker that cannot fail proves nothing. TAP."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
import lint  # noqa: E402

C = '/* SPDX-License-Identifier: Apache-2.0 */\n'
SH = '#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n'


def function(lines, name='f'):
    """A function of so many lines from brace to brace."""
    return 'int %s(void)\n{\n%s}\n' % (name, '    x();\n' * (lines - 2))


def source(lines):
    return C + 'int x;\n' * (lines - 1)


# name, files of the tree, expected findings as (path, line, rule)
CASES = [
    ('a clean tree', {
        'core/base/str.h': C + '#include <sallyport/types.h>\n',
        'core/base/str.c': C + '#include "base/str.h"\n#include <string.h>\n' + function(20),
        'core/net/loop.c': C + '#include "base/str.h"\n',
        'sdk/include/sallyport/types.h': C + '#include <stdint.h>\n',
        'sdk/include/sallyport/abi.h': C + '#include <sallyport/types.h>\n',
        'plugins/cors/cors.c': C + '#include "parts.h"\n#include <sallyport/abi.h>\n#include <string.h>\n',
        'plugins/cors/parts.h': C + '#include "../common/sign.h"\n',
        'plugins/common/sign.h': C,
        'tests/unit/test_str.c': C + '#include "base/str.h"\n',
        'autogen.sh': SH}, []),
    ('base includes net', {
        'core/base/str.c': C + '\n#include "net/loop.h"\n', 'core/net/loop.h': C},
     [('core/base/str.c', 3, 'include')]),
    ('an include upwards of a file that is not there', {
        'core/model/api.h': C + '#include "pipeline/exchange.h"\n'},
     [('core/model/api.h', 2, 'include')]),
    ('an include upwards in angle brackets', {
        'core/http/msg.h': C + '#  include <process/main.h>\n'},
     [('core/http/msg.h', 2, 'include')]),
    ('every floor above every floor', {
        'core/%s/a.c' % low: C + ''.join('#include "%s/a.h"\n' % high for high in lint.FLOORS[i + 1:])
        for i, low in enumerate(lint.FLOORS)},
     [('core/%s/a.c' % low, 2 + n, 'include') for i, low in enumerate(lint.FLOORS)
      for n in range(len(lint.FLOORS) - i - 1)]),
    ('an include without its floor', {
        'core/base/str.c': C + '#include "str.h"\n', 'core/base/str.h': C},
     [('core/base/str.c', 2, 'include')]),
    ('our header in angle brackets', {
        'core/base/str.c': C + '#include <base/str.h>\n', 'core/base/str.h': C},
     [('core/base/str.c', 2, 'include')]),
    ('an include that climbs by dots', {
        'core/base/str.c': C + '#include "../net/loop.h"\n', 'core/net/loop.h': C},
     [('core/base/str.c', 2, 'include')]),
    ('a plugin includes the core', {
        'plugins/cors/cors.c': C + '#include "base/str.h"\n', 'core/base/str.h': C},
     [('plugins/cors/cors.c', 2, 'include')]),
    ('a plugin includes the core by dots', {
        'plugins/cors/cors.c': C + '#include "../../core/base/str.h"\n', 'core/base/str.h': C},
     [('plugins/cors/cors.c', 2, 'include')]),
    ('a plugin includes another plugin', {
        'plugins/cors/cors.c': C + '#include "../waf/waf.h"\n', 'plugins/waf/waf.h': C},
     [('plugins/cors/cors.c', 2, 'include')]),
    ('the template includes the core', {
        'sdk/template/t.c': C + '#include "base/str.h"\n', 'core/base/str.h': C},
     [('sdk/template/t.c', 2, 'include')]),
    ('the SDK includes the core', {
        'sdk/include/sallyport/abi.h': C + '#include "base/str.h"\n', 'core/base/str.h': C},
     [('sdk/include/sallyport/abi.h', 2, 'include')]),
    ('two headers include each other', {
        'core/base/a.h': C + '#include "base/b.h"\n', 'core/base/b.h': C + '\n#include "base/a.h"\n'},
     [('core/base/b.h', 3, 'cycle')]),
    ('a ring of three', {
        'core/base/a.h': C + '#include "base/b.h"\n', 'core/base/b.h': C + '#include "base/c.h"\n',
        'core/base/c.h': C + '#include "base/a.h"\n'},
     [('core/base/c.h', 2, 'cycle')]),
    ('600 lines', {'core/base/a.c': source(600)}, []),
    ('601 lines', {'core/base/a.c': source(601)}, [('core/base/a.c', 601, 'file-length')]),
    ('a function of 100 lines', {'core/base/a.c': C + function(100)}, []),
    ('a function of 101 lines', {'core/base/a.c': C + function(101)},
     [('core/base/a.c', 3, 'function-length')]),
    ('a long function after a short one', {'plugins/x/a.c': C + function(3) + function(300, 'g')},
     [('plugins/x/a.c', 7, 'function-length')]),
    ('a table of 200 lines', {'core/base/a.c': C + 'static const int t[] = {\n' + '    1,\n' * 200 + '};\n'}, []),
    ('a brace behind the parameters', {'core/base/a.c': C + 'static int f(int a, char *b) {\n}\n'},
     [('core/base/a.c', 2, 'brace')]),
    ('braces that open no function', {
        'core/base/a.c': C + 'struct a {\n    int (*f)(void);\n};\nstatic int t[2] = {\n1, 2 };\n'
        'extern "C" {\n}\n'}, []),
    ('SPDX missing', {'core/base/a.c': 'int x;\n', 'autogen.sh': '#!/bin/sh\ntrue\n'},
     [('autogen.sh', 1, 'spdx'), ('core/base/a.c', 1, 'spdx')]),
    ('SPDX of another licence', {'core/base/a.h': C.replace('Apache-2.0', 'MIT')},
     [('core/base/a.h', 1, 'spdx')]),
    ('SPDX in the second line of C', {'core/base/a.h': '\n' + C}, [('core/base/a.h', 1, 'spdx')]),
    ('a script without an end to its name', {'tests/run': '#!/bin/bash\necho\n', 'conf/README': 'text\n',
                                             'core/base/a.h': C},
     [('tests/run', 1, 'spdx')]),
    ('a tab', {'core/base/a.c': C + '\tint x;\n'}, [('core/base/a.c', 2, 'white-space')]),
    ('a blank at the end', {'core/base/a.c': C + 'int x; \n', 'Makefile.am': SH[10:] + 'a: b\n\ttrue\t\n'},
     [('Makefile.am', 3, 'white-space'), ('core/base/a.c', 2, 'white-space')]),
    ('a mark of unfinished work', {'core/base/a.c': C + '/* TO' 'DO: later */\n// FIX' 'ME\n'},
     [('core/base/a.c', 2, 'mark'), ('core/base/a.c', 3, 'mark')]),
    ('names that only look banned', {
        'core/base/a.c': C + 'void my_strcpy(void);\n/* strcpy(a, b) */\nint x = y->gets(1) + z.system(2);\n'
        'const char *s = "sprintf(";\nint strtok_r(int);\n// popen(x)\nint snprintf (int);\n'}, []),
] + [
    ('banned: ' + name, {'core/base/a.c': C + 'void f(void)\n{\n    x = 1 + %s (a);\n}\n' % name},
     [('core/base/a.c', 4, 'banned')]) for name in sorted(lint.BANNED)
]


def plant(top, files):
    for path, text in files.items():
        full = os.path.join(top, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w', encoding='utf-8') as file:
            file.write(text)


def command(files, *options):
    with tempfile.TemporaryDirectory() as top:
        plant(top, files)
        done = subprocess.run([sys.executable, '-B', os.path.join(HERE, 'lint.py'), *options, top],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout


def check_command():
    """The command's own answers: exit codes, lines, TAP, an empty tree."""
    bad = {'core/base/a.c': C + '\nint x = atoi(s);\n'}
    code, out = command(bad)
    yield 'a finding exits 1', code == 1 and 'core/base/a.c:3: banned: atoi: use str_u64' in out
    code, out = command({'core/base/a.c': C + function(7)})
    yield 'a clean tree exits 0', code == 0 and '0 findings' in out
    yield 'medians are printed', 'core/base' in out and 'median  7, longest   7' in out
    code, out = command(bad, '--tap')
    yield 'TAP names the rule', 'not ok' in out and '- no banned call' in out and out.count('\nok ') >= 7
    yield 'TAP has a plan', out.rstrip().endswith('1..%d' % len(lint.RULES))
    code, out = command({'README': 'nothing here\n'})
    yield 'an empty tree is no success', code == 1 and 'no source found' in out


def main():
    results = []
    for name, files, expected in CASES:
        with tempfile.TemporaryDirectory() as top:
            plant(top, files)
            found = sorted(f[:3] for f in lint.Lint(top).run())
        note = '' if found == sorted(expected) else 'expected %s\ngot %s' % (sorted(expected), found)
        results.append((name, note))
    results += [(name, '' if good else 'failed') for name, good in check_command()]
    unproven = set(lint.RULES) - {f[2] for case in CASES for f in case[2]}
    results.append(('every rule has a sample that breaks it', ', '.join(unproven)))
    for number, (name, note) in enumerate(results, 1):
        print('%s %d - %s' % ('not ok' if note else 'ok', number, name))
        for line in note.split('\n') if note else []:
            print('# ' + line)
    print('1..%d' % len(results))


if __name__ == '__main__':
    main()
