#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the rules of the house that a compiler does not: floors, sizes, banned calls, first lines.

lint.py [--tap] [TOP]   reads the source tree at TOP (default: two folders up from here), prints every
finding as `file:line: rule: message` and the medians of each tree; exits 1 when there is a finding.
"""
import os
import re
import statistics
import sys

FLOORS = ['base', 'net', 'http', 'model', 'pipeline', 'store', 'control', 'process']
TREES = ['core', 'plugins', 'sdk', 'tests', 'packaging', 'conf', '.ci']
TOP_FILES = ['configure.ac', 'Makefile.am', 'autogen.sh']
MADE = re.compile(r'^packaging/(build-aux/|m4/(libtool|lt[a-z~]+)\.m4)|(^|/)(\.libs|\.deps|__pycache__)/')
SPDX = 'SPDX-License-Identifier: Apache-2.0'
C_SPDX = '/* ' + SPDX + ' */'
SCRIPT_ENDS = ('.py', '.sh', '.test', '.m4', '.ac', '.am', '.inc')
NO_TABS = ('.c', '.h', '.py', '.sh', '.test')
MAX_FILE = 600
MAX_FUNCTION = 100
BANNED = {
    'strcpy': 'memcpy with a known length', 'strcat': 'a buffer with a bound', 'sprintf': 'snprintf',
    'vsprintf': 'vsnprintf', 'gets': 'fgets', 'strtok': 'str_cut', 'alloca': 'an arena',
    'strncpy': 'memcpy with a known length', 'atoi': 'str_u64 or str_i64', 'system': 'posix_spawn',
    'popen': 'posix_spawn',
}
RULES = {
    'include': 'includes go down, never up',
    'cycle': 'no include cycle',
    'file-length': 'no .c or .h over %d lines' % MAX_FILE,
    'function-length': 'no function over %d lines' % MAX_FUNCTION,
    'brace': 'a function opens on a line of its own',
    'banned': 'no banned call',
    'spdx': 'the licence stands in the first line',
    'white-space': 'no tab, no white space at the end of a line',
    'mark': 'no mark of unfinished work',
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
# Not a member of that name: p->gets(...) and ops.gets(...) are somebody's own.
CALL = re.compile(r'(?<![\w.])(?<!->)(%s)\s*\(' % '|'.join(BANNED))
# A definition at column 0 whose brace stands at the end of its line: int f(int a) {
LATE_BRACE = re.compile(r'^(?!(?:struct|union|enum|typedef|extern "C")[^()]*\{)[A-Za-z_][^;=]*\)[\w\s()]*\{\s*$')
MARK = re.compile(r'\b(TO' r'DO|FIX' r'ME)\b')


def is_c(path):
    return path.endswith(('.c', '.h'))


def strip_c(text):
    """Blanks comments, strings and character constants; keeps the lines and columns."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return token.sub(lambda m: re.sub(r'[^\n]', ' ', m.group(0)), text)


class Lint:
    def __init__(self, top):
        self.top = top
        self.findings = []
        self.files = {}
        self.functions = {}

    def report(self, path, line, rule, message):
        self.findings.append((path, line, rule, message))

    def load(self):
        paths = [f for f in TOP_FILES if os.path.isfile(os.path.join(self.top, f))]
        for tree in TREES:
            for folder, dirs, names in os.walk(os.path.join(self.top, tree)):
                dirs.sort()
                paths += [os.path.relpath(os.path.join(folder, n), self.top) for n in sorted(names)]
        for path in paths:
            full = os.path.join(self.top, path)
            if MADE.search(path) or not os.path.isfile(full):
                continue
            if not (is_c(path) or path.endswith(SCRIPT_ENDS) or '.' not in os.path.basename(path)):
                continue
            with open(full, encoding='utf-8', errors='replace') as file:
                text = file.read()
            if is_c(path) or path.endswith(SCRIPT_ENDS) or text.startswith('#!'):
                self.files[path] = text

    def target(self, path, kind, name):
        """The tree's file that an include means, or None when it is a system header."""
        own = os.path.normpath(os.path.join(os.path.dirname(path), name))
        choices = [os.path.join('core', name), os.path.join('sdk/include', name)]
        if kind == '"':
            choices.insert(0, own)
        return next((c for c in choices if c in self.files), None)

    def check_include(self, path, number, kind, name):
        parts = path.split('/')
        first = name.split('/')[0]
        target = self.target(path, kind, name)
        in_core = first in FLOORS and '/' in name
        if parts[0] == 'core' and len(parts) > 2 and parts[1] in FLOORS:
            if in_core and FLOORS.index(first) > FLOORS.index(parts[1]):
                self.report(path, number, 'include', '%s goes up: core/%s may not use core/%s'
                            % (name, parts[1], first))
            elif kind == '"' and not in_core:
                self.report(path, number, 'include', '"%s": write it from core/, as "%s/..."'
                            % (name, parts[1]))
            elif kind == '<' and in_core and target:
                self.report(path, number, 'include', '<%s>: our own headers stand in quotes' % name)
        elif parts[0] == 'plugins' or path.startswith(('sdk/template/', 'sdk/examples/')):
            home = '/'.join(parts[:-1] if parts[0] == 'sdk' else parts[:2]) + '/'
            near = target and target.startswith((home, 'plugins/common/', 'sdk/include/sallyport/'))
            if (target and not near) or (kind == '"' and not near) or in_core:
                self.report(path, number, 'include', '%s: a plugin includes <sallyport/...>, system '
                            'headers, its own folder and plugins/common' % name)
            elif kind == '"' and first == 'sallyport':
                self.report(path, number, 'include', '"%s": write <%s>' % (name, name))
        elif path.startswith('sdk/include/'):
            if kind == '"' or (target and not target.startswith('sdk/include/')) or in_core:
                self.report(path, number, 'include', '%s: the SDK includes <sallyport/...> and system '
                            'headers only' % name)
        return target

    def check_includes(self):
        graph = {}
        for path, text in self.files.items():
            if not is_c(path):
                continue
            for number, line in enumerate(text.split('\n'), 1):
                match = INCLUDE.match(line)
                if match:
                    target = self.check_include(path, number, match.group(1), match.group(2))
                    if target:
                        graph.setdefault(path, []).append((target, number))
        self.check_cycles(graph)

    def check_cycles(self, graph):
        done, trail, seen = set(), [], set()

        def visit(path):
            trail.append(path)
            for target, number in graph.get(path, []):
                if target in trail:
                    ring = trail[trail.index(target):]
                    if frozenset(ring) not in seen:
                        seen.add(frozenset(ring))
                        self.report(path, number, 'cycle', ' -> '.join(ring + [target]))
                elif target not in done:
                    visit(target)
            done.add(trail.pop())

        for path in sorted(graph):
            if path not in done:
                visit(path)

    def check_sizes(self, path, bare):
        lines = bare.rstrip('\n').split('\n')
        if len(lines) > MAX_FILE:
            self.report(path, len(lines), 'file-length', '%d lines, at most %d' % (len(lines), MAX_FILE))
        start = None
        for number, line in enumerate(lines, 1):
            if line.startswith('{'):
                start = None if line.rstrip().endswith('}') else number
            elif line.startswith('}') and start:
                length = number - start + 1
                self.functions.setdefault(path, []).append(length)
                if length > MAX_FUNCTION:
                    self.report(path, start, 'function-length', '%d lines, at most %d'
                                % (length, MAX_FUNCTION))
                start = None
            elif LATE_BRACE.match(line):
                self.report(path, number, 'brace', 'put the brace that opens a function on its own line')

    def check_calls(self, path, bare):
        for number, line in enumerate(bare.split('\n'), 1):
            for match in CALL.finditer(line):
                name = match.group(1)
                self.report(path, number, 'banned', '%s: use %s' % (name, BANNED[name]))

    def check_text(self, path, text):
        lines = text.split('\n')
        if is_c(path):
            good = lines[0] == C_SPDX
        else:
            good = any(re.fullmatch(r'(#|dnl) ' + re.escape(SPDX), line) for line in lines[:2])
        if not good:
            self.report(path, 1, 'spdx', 'expected %s' % (C_SPDX if is_c(path) else '# ' + SPDX))
        for number, line in enumerate(lines, 1):
            if line != line.rstrip():
                self.report(path, number, 'white-space', 'white space at the end of the line')
            if '\t' in line and path.endswith(NO_TABS):
                self.report(path, number, 'white-space', 'a tab')
            if MARK.search(line):
                self.report(path, number, 'mark', 'finish it or leave it out')

    def run(self):
        self.load()
        self.check_includes()
        for path, text in self.files.items():
            self.check_text(path, text)
            if is_c(path):
                bare = strip_c(text)
                self.check_sizes(path, bare)
                self.check_calls(path, bare)
        self.findings.sort()
        return self.findings

    def medians(self):
        trees = {}
        for path, text in self.files.items():
            if is_c(path):
                parts = path.split('/')
                tree = '/'.join(parts[:2]) if parts[0] in ('core', 'tests') else parts[0]
                files, functions = trees.setdefault(tree, ([], []))
                files.append(text.rstrip('\n').count('\n') + 1)
                functions += self.functions.get(path, [])
        for tree in sorted(trees):
            files, functions = trees[tree]
            yield '%-15s %4d files, median %3d, longest %3d lines; %5d functions, median %2d, longest %3d' % (
                tree, len(files), statistics.median(files), max(files), len(functions),
                statistics.median(functions or [0]), max(functions or [0]))


def main(argv):
    tap = '--tap' in argv
    tops = [a for a in argv if a != '--tap']
    top = tops[0] if tops else os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
    lint = Lint(os.path.abspath(top))
    findings = lint.run()
    if not any(is_c(path) for path in lint.files):
        print('Bail out! no source found' if tap else 'lint: no source found in ' + top)
        return 1
    for number, rule in enumerate(RULES, 1):
        mine = [f for f in findings if f[2] == rule]
        if tap:
            print('%s %d - %s' % ('not ok' if mine else 'ok', number, RULES[rule]))
        for path, line, _, message in mine:
            print('%s%s:%d: %s: %s' % ('# ' if tap else '', path, line, rule, message))
    for line in lint.medians():
        print(('# ' if tap else '') + line)
    if tap:
        print('1..%d' % len(RULES))
        return 0
    print('lint: %d files, %d findings' % (len(lint.files), len(findings)))
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
