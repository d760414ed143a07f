# SPDX-License-Identifier: Apache-2.0
"""The shells' completions know every command and option that the program's own help names, and no other."""
import os
import re
import subprocess

TOP = os.environ.get('SALLYPORT_TEST_TOP_SRCDIR') or os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BIN = os.environ.get('SALLYPORT_TEST_BIN', '')
BASH = os.path.join(TOP, 'packaging', 'completions', 'sallyport.bash')
ZSH = os.path.join(TOP, 'packaging', 'completions', 'sallyport.zsh')


def help_of(*command):
    return subprocess.run([BIN, 'help', *command], stdout=subprocess.PIPE, text=True, timeout=20, check=True).stdout


def commands():
    """The commands as typed: 'run', 'plugin check', ..."""
    part = help_of().split('Commands:\n')[1].split('\n\n')[0]
    return [' '.join(re.match(r'((?:[a-z]+ ?)+)', line.strip()).group(1).split()) for line in part.splitlines()]


def options(text):
    return set(re.findall(r'(?:^ +|, )(--?[A-Za-z][a-z-]*)', text, re.M))


def complete(*words):
    """What bash offers for the last word."""
    script = '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sallyport; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(['bash', '--norc', '-c', script, BASH, 'sallyport', *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=20, check=True)
    return set(done.stdout.split())


def test_bash_offers_the_commands():
    assert complete('') == {command.split()[0] for command in commands()}
    assert complete('plugin', '') == {c.split()[1] for c in commands() if c.startswith('plugin ')}
    assert complete('re') == {'reload'}
    assert complete('-c', 'x.yaml', 'st') == {'status', 'stop'}


def test_bash_offers_the_options_of_each_command():
    for command in commands():
        expected = options(help_of(*command.split()) if command != 'help' else help_of())
        assert complete(*command.split(), '-') == expected, command


def test_bash_offers_arguments(tmp_path):
    assert {'GET', 'POST'} < complete('explain', '')
    assert complete('explain', 'GET', '') == set()
    assert complete('schema', '') == {'api'}
    assert complete('log', '') == {'level'}
    assert complete('log', 'level', 'd') == {'debug'}
    (tmp_path / 'conf.yaml').write_text('')
    assert complete('-c', str(tmp_path) + '/c') == {str(tmp_path / 'conf.yaml')}


def test_zsh_names_every_command_and_option():
    with open(ZSH, encoding='utf-8') as file:
        text = file.read()
    for command in commands():
        assert re.search(r"'%s:" % command.split()[0], text), command
        for option in options(help_of(*command.split()) if command != 'help' else help_of()):
            assert option in text, option
