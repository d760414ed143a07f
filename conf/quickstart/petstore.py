#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A small pet store: GET and POST /pets, GET /pets/{id}. JSON over HTTP/1.1 with keep-alive, one thread a connection.

petstore.py [PORT]   listens on 127.0.0.1. What the gateway put into X-Gateway comes back as "gateway".
"""
import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BODY = 64 * 1024
MAX_PETS = 1000


class Store:
    """The pets, in memory."""

    def __init__(self):
        self.lock = threading.Lock()
        self.pets = [
            {'id': 1, 'name': 'Bella', 'kind': 'dog', 'price': 249.99},
            {'id': 2, 'name': 'Tom', 'kind': 'cat', 'price': 124.99},
            {'id': 3, 'name': 'Nemo', 'kind': 'fish', 'price': 0.99},
        ]

    def all(self):
        with self.lock:
            return list(self.pets)

    def find(self, text):
        return next((pet for pet in self.all() if str(pet['id']) == text), None)

    def add(self, pet):
        with self.lock:
            if len(self.pets) >= MAX_PETS:
                return None
            pet = {'id': self.pets[-1]['id'] + 1, **pet}
            self.pets.append(pet)
            return pet


def pet_of(raw):
    """The pet in a request body, or the reason why it is none."""
    try:
        pet = json.loads(raw)
    except ValueError as error:
        return None, 'the body is not JSON: %s' % error
    if not isinstance(pet, dict) or not isinstance(pet.get('name'), str) or not pet['name']:
        return None, 'expected an object with a name, such as {"name": "Rex", "kind": "dog"}'
    if not isinstance(pet.get('kind', ''), str):
        return None, 'kind: expected a text'
    return {'name': pet['name'], 'kind': pet.get('kind', 'pet')}, None


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    timeout = 120
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one segment

    def version_string(self):
        return 'petstore/1'

    def answer(self, status, body):
        raw = (json.dumps({**body, 'gateway': self.headers.get('X-Gateway')}) + '\n').encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(raw)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(raw)
        self.wfile.flush()

    def do_GET(self):
        path = self.path.split('?')[0]
        if path == '/pets':
            self.answer(200, {'pets': self.server.store.all()})
            return
        pet = self.server.store.find(path[len('/pets/'):]) if path.startswith('/pets/') else None
        if pet:
            self.answer(200, pet)
        else:
            self.answer(404, {'error': 'there is nothing at ' + path})

    do_HEAD = do_GET

    def do_POST(self):
        if self.headers.get('Transfer-Encoding'):
            raw = self.read_chunks()
        else:
            length = self.headers.get('Content-Length', '0')
            raw = self.rfile.read(int(length)) if length.isdigit() and int(length) <= MAX_BODY else None
        if raw is None:
            self.close_connection = True
            self.answer(413, {'error': 'at most %d bytes' % MAX_BODY})
        elif self.path.split('?')[0] != '/pets':
            self.answer(404, {'error': 'there is nothing at ' + self.path})
        else:
            pet, why = pet_of(raw)
            pet = self.server.store.add(pet) if pet else None
            if pet:
                self.answer(201, pet)
            else:
                self.answer(400 if why else 507, {'error': why or 'the store is full'})

    def read_chunks(self):
        """A chunked body, or None when it is malformed or too long."""
        raw = b''
        while True:
            try:
                size = int(self.rfile.readline(64).split(b';')[0], 16)
            except ValueError:
                return None
            if size == 0:
                while self.rfile.readline(4096).strip():
                    pass
                return raw
            if len(raw) + size > MAX_BODY:
                return None
            raw += self.rfile.read(size)
            self.rfile.readline(64)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9180
    server = Server(('127.0.0.1', port), Handler)
    server.store = Store()
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print('petstore: listening on 127.0.0.1:%d' % server.server_port, flush=True)
    server.serve_forever()
    server.server_close()


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        pass
    except OSError as error:
        sys.exit('petstore: %s' % error)
