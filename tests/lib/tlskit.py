# SPDX-License-Identifier: Apache-2.0
"""Certificates made by openssl at test time, and clients and backends that speak TLS."""
import os
import socket
import ssl
import subprocess

from client import Client


def openssl(*args, stdin=None):
    done = subprocess.run(["openssl", *map(str, args)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60, check=False)
    assert done.returncode == 0, "openssl %s: %s" % (" ".join(map(str, args)), done.stderr.decode())
    return done.stdout


class Pair:
    """A certificate with its chain, and its key."""

    def __init__(self, chain, key):
        self.chain, self.key = chain, key

    @property
    def conf(self):
        return {"chain": self.chain, "key": self.key}

    @property
    def pem(self):
        with open(self.chain, encoding="ascii") as f:
            return f.read()


class Authority:
    """A CA in a folder of its own."""

    def __init__(self, folder, name="Test CA"):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.count = 0
        self.pem, self.key = self.path("ca.pem"), self.path("ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
                "-out", self.pem, "-subj", "/CN=%s" % name, "-days", 30)

    def path(self, name):
        return os.path.join(self.folder, name)

    def sub(self, name="Sub CA"):
        """An intermediate authority; what it issues carries its certificate behind its own."""
        made = Authority.__new__(Authority)
        made.folder, made.count = self.path(name.replace(" ", "-")), 0
        os.makedirs(made.folder)
        made.pem, made.key = made.path("ca.pem"), made.path("ca.key")
        openssl("req", "-x509", "-CA", self.pem, "-CAkey", self.key, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", made.key, "-out", made.pem, "-subj", "/CN=%s" % name, "-addext", "basicConstraints=critical,CA:TRUE", "-days", 20)
        return made

    def cert(self, name, sans=None, alg="EC", days=10, self_signed=False):
        """sans: "DNS:a.test,IP:127.0.0.1"; the name itself when left out. days below 0: it has expired."""
        self.count += 1
        base = self.path("%d-%s" % (self.count, name.replace("*", "any")))
        how = {"EC": ("EC", "ec_paramgen_curve:P-256"), "RSA": ("RSA", "rsa_keygen_bits:2048")}[alg]
        openssl("genpkey", "-algorithm", how[0], "-pkeyopt", how[1], "-out", base + ".key")
        os.chmod(base + ".key", 0o600)
        openssl("req", "-new", "-key", base + ".key", "-subj", "/CN=%s/O=Tests" % name, "-out", base + ".csr")
        with open(base + ".ext", "w", encoding="ascii") as f:
            f.write("subjectAltName=%s\n" % (sans or "DNS:" + name))
        signer = ["-key", base + ".key"] if self_signed else ["-CA", self.pem, "-CAkey", self.key]
        openssl("x509", "-req", "-in", base + ".csr", *signer, "-days", days, "-extfile", base + ".ext", "-set_serial",
                "0x%x" % (0xa10000 + self.count), "-out", base + ".pem")
        return Pair(base + ".pem", base + ".key")

    def crl(self, *revoked):
        """A revocation list with these pairs."""
        index, conf = self.path("index"), self.path("crl.cnf")
        with open(index, "w", encoding="ascii"):
            pass
        with open(conf, "w", encoding="ascii") as f:
            f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=%s\ndefault_md=sha256\n" % index)
        sign = ["-config", conf, "-keyfile", self.key, "-cert", self.pem]
        for pair in revoked:
            openssl("ca", *sign, "-revoke", pair.chain)
        openssl("ca", *sign, "-gencrl", "-crldays", 10, "-out", self.path("crl.pem"))
        return self.path("crl.pem")


def client_context(ca=None, cert=None, version=None, ciphers=None, alpn=None):
    """ca None: nothing is verified. version: "1.2" or "1.3" alone."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca:
        ctx.load_verify_locations(ca.pem)
    else:
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE
    if cert:
        ctx.load_cert_chain(cert.chain, cert.key)
    if version:
        ctx.minimum_version = ctx.maximum_version = ssl.TLSVersion["TLSv" + version.replace(".", "_")]
    if ciphers:
        ctx.set_ciphers(ciphers)
    if alpn:
        ctx.set_alpn_protocols(alpn)
    return ctx


def server_context(pair, client_ca=None, version=None):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(pair.chain, pair.key)
    if client_ca:
        ctx.load_verify_locations(client_ca.pem)
        ctx.verify_mode = ssl.CERT_REQUIRED
    if version:
        ctx.minimum_version = ctx.maximum_version = ssl.TLSVersion["TLSv" + version.replace(".", "_")]
    return ctx


class TlsClient(Client):
    """A client whose bytes go through TLS. name: SNI and, where the context verifies, the certificate's."""

    def __init__(self, port, ctx, name="a.test", session=None, **how):
        super().__init__(port, **how)
        try:
            self.sock = ctx.wrap_socket(self.sock, server_hostname=name, session=session, suppress_ragged_eofs=False)
        except OSError:
            self.sock.close()
            raise
        self.stream.sock = self.sock
        self.version, self.cipher = self.sock.version(), self.sock.cipher()[0]

    @property
    def tls(self):
        return self.sock

    def names(self):
        """The DNS names of the server's certificate."""
        text = openssl("x509", "-inform", "DER", "-noout", "-ext", "subjectAltName", stdin=self.sock.getpeercert(True))
        return [w.strip()[4:] for w in text.decode().replace("\n", ",").split(",") if w.strip().startswith("DNS:")]

    def key_kind(self):
        """EC or RSA."""
        text = openssl("x509", "-inform", "DER", "-noout", "-text", stdin=self.sock.getpeercert(True)).decode()
        return "RSA" if "rsaEncryption" in text else "EC"

    def finish(self):
        """TCP's end without TLS's."""
        raw = socket.socket(fileno=os.dup(self.sock.fileno()))
        raw.shutdown(socket.SHUT_WR)
        raw.close()

    def bye(self):
        """Sends close_notify and waits for the other side's."""
        return self.sock.unwrap()
