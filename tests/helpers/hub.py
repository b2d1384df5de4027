"""A small Hugging Face hub on loopback, for the real client."""

import base64
import hashlib
import json
import re
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from huggingface_hub import close_session, constants

from helpers.cast import TINY


class Hub:
    """Serves files as the hub does: metadata, and a redirect to a store."""

    def __init__(self):
        self.files = {}  # (repository, path) -> content
        self.store = {}  # ETag -> what the store sends, if it is different
        self.cuts = []  # bytes after which the next downloads break off
        self.requests = []  # (method, path, range)
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f'http://127.0.0.1:{self.port}'
        Thread(target=self.server.serve_forever, args=(.01, ),
               daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def put(self, path, content, repository='twke/CAST'):
        self.files[repository, path] = content

    @property
    def commit(self):
        """Changes with any file."""
        digest = hashlib.sha1()
        for key in sorted(self.files):
            digest.update(repr(key).encode() + self.files[key])
        return digest.hexdigest()

    def downloads(self):
        return [r for r in self.requests if r[0] == 'GET' and 'store' in r[1]]


@contextmanager
def serving(monkeypatch, tmp_path):
    """A hub that the client of this process uses, and empty caches."""
    hub = Hub()
    monkeypatch.setenv('MMHIERSEG_HOME', str(tmp_path / 'home'))
    monkeypatch.setenv('NO_PROXY', '127.0.0.1,localhost')
    # Read from HF_ENDPOINT and HF_HOME when it was imported.
    monkeypatch.setattr(constants, 'ENDPOINT', hub.url)
    monkeypatch.setattr(constants, 'HUGGINGFACE_CO_URL_TEMPLATE',
                        hub.url + '/{repo_id}/resolve/{revision}/{filename}')
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', False)
    # It waits before it tries again.
    monkeypatch.setattr(time, 'sleep', lambda seconds: None)
    close_session()
    yield hub
    close_session()
    hub.close()


def offline(monkeypatch):
    """Forbid the client all requests."""
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', True)
    close_session()


def tiny(state_dict):
    """Options that give a published model the size of a fixture."""
    arch = dict(TINY['arch'], num_heads=12, _delete_=True)
    options = dict(backbone=dict(TINY, arch=arch))
    if 'neck.fc0.weight' in state_dict:
        hid, out, pred = (
            len(state_dict[f'{name}.weight'])
            for name in ('neck.fc0', 'neck.fc2', 'head.predictor.fc0'))
        mlp = dict(in_channels=out, hid_channels=pred, out_channels=out)
        options.update(
            neck=dict(in_channels=48, hid_channels=hid, out_channels=out),
            head=dict(predictor=mlp))
    else:
        options['head'] = dict(
            in_channels=48, num_classes=len(state_dict['head.fc.weight']))
    return options


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def answer(self, status, body=b'', **headers):
        self.send_response(status)
        headers.setdefault('Content-Length', len(body))
        for key, value in headers.items():
            self.send_header(key.replace('_', '-'), str(value))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def do_HEAD(self):
        self.hub.requests.append(
            (self.command, self.path, self.headers.get('Range')))
        found = re.fullmatch(r'/([\w.-]+/[\w.-]+)/resolve/(\w+)/(.+)',
                             self.path)
        if found is None:
            return self.answer(404)
        repository, revision, path = found.groups()
        commit = self.hub.commit
        if not any(repository == name for name, _ in self.hub.files):
            return self.answer(404, X_Error_Code='RepoNotFound')
        if revision not in ('main', commit):
            return self.answer(404, X_Error_Code='RevisionNotFound')
        content = self.hub.files.get((repository, path))
        if content is None:
            return self.answer(404, X_Error_Code='EntryNotFound',
                               X_Repo_Commit=commit)
        etag = hashlib.sha256(content).hexdigest()
        # Of another name, as the real one, so that the client stops there.
        self.answer(
            302, X_Repo_Commit=commit, X_Linked_Etag=f'"{etag}"',
            X_Linked_Size=len(content),
            Location=f'http://localhost:{self.hub.port}/store/{etag}')

    def do_GET(self):
        name = self.path.removeprefix('/store/')
        contents = {hashlib.sha256(content).hexdigest(): content
                    for content in self.hub.files.values()}
        if name not in contents:
            return self.do_HEAD()
        self.hub.requests.append(
            ('GET', self.path, self.headers.get('Range')))
        content = self.hub.store.get(name, contents[name])
        start = int(re.findall(
            r'\d+', self.headers.get('Range', 'bytes=0-'))[0])
        self.send_response(206 if start else 200)
        if start:
            end = len(content)
            self.send_header('Content-Range', f'bytes {start}-{end - 1}/{end}')
        content = content[start:]
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        if self.hub.cuts:
            content = content[:self.hub.cuts.pop(0)]
            self.close_connection = True
        self.wfile.write(content)

    def do_POST(self):
        """Create a repository, and commit to it."""
        body = self.rfile.read(int(self.headers['Content-Length']))
        if self.path == '/api/repos/create':
            repository = '{organization}/{name}'.format(**json.loads(body))
            result = dict(url=f'{self.hub.url}/{repository}')
        elif '/preupload/' in self.path:
            result = dict(files=[
                dict(path=file['path'], uploadMode='regular',
                     shouldIgnore=False) for file in json.loads(body)['files']
            ])
        elif '/commit/' in self.path:
            repository = '/'.join(self.path.split('/')[3:5])
            for line in map(json.loads, body.splitlines()):
                if line['key'] == 'file':
                    self.hub.put(line['value']['path'],
                                 base64.b64decode(line['value']['content']),
                                 repository)
            commit = self.hub.commit
            result = dict(commitOid=commit, success=True,
                          commitUrl=f'{self.hub.url}/{repository}/commit/'
                          f'{commit}')
        else:
            return self.answer(404)
        self.answer(200, json.dumps(result).encode())
