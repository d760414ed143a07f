# SPDX-License-Identifier: Apache-2.0
"""packaging/install-deps asks the network for nothing while nothing is missing, and says what is."""
import os
import subprocess

TOP = os.environ.get('SALLYPORT_TEST_TOP_SRCDIR') or os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SCRIPT = os.path.join(TOP, 'packaging', 'install-deps')


def tool(folder, name, text):
    path = folder / name
    path.write_text('#!/bin/sh\n' + text)
    path.chmod(0o755)


def run(folder, *args):
    """With tools of the test's own in front: `installed` names the packages that are there."""
    env = dict(os.environ, PATH='%s:%s' % (folder, os.environ['PATH']))
    return subprocess.run([SCRIPT, *args], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=20, check=False)


def prepare(folder, missing=(), apt='exit 0'):
    tool(folder, 'dpkg-query', 'for last; do :; done\ncase $last in %s) exit 1 ;; esac\nprintf installed\n'
         % '|'.join(missing or ['none-at-all']))
    tool(folder, 'apt-get', 'echo "$@" >> "%s/called"\n%s\n' % (folder, apt))
    tool(folder, 'sudo', 'exec "$@"\n')
    return folder / 'called'


def test_nothing_is_missing(tmp_path):
    called = prepare(tmp_path)
    for mode in ('--build', '--test', '--long'):
        done = run(tmp_path, mode)
        assert (done.returncode, done.stdout) == (0, '')
    assert not called.exists()


def test_only_what_is_missing_is_installed(tmp_path):
    called = prepare(tmp_path, missing=['libev-dev', 'libyaml-dev'])
    done = run(tmp_path, '--build')
    assert done.returncode == 0
    assert 'installing libev-dev libyaml-dev' in done.stdout
    update, install = called.read_text().splitlines()
    assert update.startswith('update')
    assert install.startswith('install') and install.endswith(' libev-dev libyaml-dev')


def test_a_failing_apt_get_is_an_error(tmp_path):
    prepare(tmp_path, missing=['clang'], apt='exit 100')
    done = run(tmp_path, '--test')
    assert done.returncode == 1
    assert 'apt-get install failed for: clang' in done.stdout


def test_lists_and_usage(tmp_path):
    prepare(tmp_path)
    build = run(tmp_path, '--build', '--list').stdout.split()
    test = run(tmp_path, '--test', '--list').stdout.split()
    assert {'gcc', 'node-llhttp', 'libc-ares-dev'} <= set(build) < set(test)
    assert run(tmp_path, '--nonsense').returncode == 2
