# SPDX-License-Identifier: Apache-2.0
"""packaging/quickstart from nothing to an answer through the plugin, started twice and stopped."""
import http.client
import json
import os
import re
import socket
import subprocess
import time

import pytest

TOP = os.environ.get('SALLYPORT_TEST_TOP_SRCDIR') or os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SCRIPT = os.path.join(TOP, 'packaging', 'quickstart')
PORTS = ('QUICKSTART_PORT', 'QUICKSTART_STATUS_PORT', 'QUICKSTART_BACKEND_PORT')


def run(env, *args, limit=60):
    return subprocess.run([SCRIPT, *args], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=limit, check=False)


def ask(env, method, path, body=None, port='QUICKSTART_PORT'):
    """One request: status, headers and the JSON of the answer (or its text)."""
    connection = http.client.HTTPConnection('127.0.0.1', int(env[port]), timeout=10)
    try:
        headers = {'Content-Type': 'application/json'} if body is not None else {}
        connection.request(method, path, body=json.dumps(body) if body is not None else None, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        kind = answer.headers.get('Content-Type', '')
        return answer.status, answer.headers, json.loads(text) if 'json' in kind else text
    finally:
        connection.close()


def free_ports():
    held = [socket.socket() for _ in PORTS]
    for one in held:
        one.bind(('127.0.0.1', 0))
    ports = [str(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return dict(zip(PORTS, ports))


@pytest.fixture(scope='module', name='env')
def fixture_env(tmp_path_factory):
    """A running quickstart on free ports; ended whatever happens."""
    env = dict(os.environ, QUICKSTART_STATE=str(tmp_path_factory.mktemp('state')), **free_ports())
    os.chmod(env['QUICKSTART_STATE'], 0o700)
    done = run(env, limit=600)
    try:
        assert done.returncode == 0, done.stdout
        env['SAID'] = done.stdout
        yield env
    finally:
        run(env, '--stop')


def test_says_where_and_what_to_try(env):
    said = env['SAID']
    assert 'http://127.0.0.1:%s/pets' % env['QUICKSTART_PORT'] in said
    assert len(re.findall(r'^  (curl|\S*sallyport) ', said, re.M)) == 3
    assert 'packaging/quickstart --stop' in said


def test_the_backend_answers_through_the_plugin(env):
    status, headers, body = ask(env, 'GET', '/pets')
    assert status == 200
    assert [pet['name'] for pet in body['pets']][:3] == ['Bella', 'Tom', 'Nemo']
    assert headers['X-Sallyport'] == 'api pets, stage $default'
    assert re.fullmatch(r'sallyport \S{8,}', body['gateway'])


def test_a_pet_is_added_and_found(env):
    status, headers, pet = ask(env, 'POST', '/pets', {'name': 'Rex', 'kind': 'dog'})
    assert (status, pet['name'], pet['kind']) == (201, 'Rex', 'dog')
    assert 'X-Sallyport' in headers
    status, _, found = ask(env, 'GET', '/pets/%d' % pet['id'])
    assert (status, found['name']) == (200, 'Rex')


def test_what_the_document_does_not_have_is_not_found(env):
    status, _, body = ask(env, 'GET', '/owners')
    assert (status, body) == (404, {'message': 'Not Found'})
    assert ask(env, 'DELETE', '/pets')[0] == 404


def test_metrics_are_there(env):
    status, _, text = ask(env, 'GET', '/metrics', port='QUICKSTART_STATUS_PORT')
    assert status == 200
    assert 'sallyport_' in text


def test_the_commands_it_prints_work(env):
    explain = next(line for line in env['SAID'].splitlines() if ' explain ' in line)
    done = subprocess.run(explain, shell=True, cwd=TOP, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stdout
    assert '/pets/{id}' in done.stdout
    assert 'headers' in done.stdout


def test_started_twice_it_says_so_quickly(env):
    begun = time.monotonic()
    done = run(env)
    assert done.returncode == 0 and 'already running' in done.stdout, done.stdout
    assert time.monotonic() - begun < 3


def test_a_taken_port_is_named(env, tmp_path):
    other = dict(env, QUICKSTART_STATE=str(tmp_path), **free_ports())
    os.chmod(tmp_path, 0o700)
    other['QUICKSTART_PORT'] = env['QUICKSTART_PORT']
    done = run(other)
    assert done.returncode == 1
    assert "port %s (the gateway's) is taken" % env['QUICKSTART_PORT'] in done.stdout
    assert 'QUICKSTART_PORT=' in done.stdout


def test_stop_and_a_second_start_under_three_seconds(env):
    assert run(env, '--status').returncode == 0
    done = run(env, '--stop')
    assert done.returncode == 0
    assert 'stopped the gateway' in done.stdout and 'stopped the backend' in done.stdout, done.stdout
    for port in PORTS:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(('127.0.0.1', int(env[port])), timeout=5)
    assert run(env, '--status').returncode == 1
    begun = time.monotonic()
    done = run(env)
    took = time.monotonic() - begun
    assert done.returncode == 0, done.stdout
    assert took < 3, 'the second start took %.1f s' % took
    assert ask(env, 'GET', '/pets')[0] == 200


def test_usage(env):
    assert run(env, '--nonsense').returncode == 2
    assert run(env, '--help').stdout.startswith('usage:')
