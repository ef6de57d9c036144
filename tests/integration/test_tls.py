"""HTTPS with real certificates: what can be trusted is asked, and what cannot gets not one byte of a prompt or key."""
import os
import socket
import ssl
import subprocess
import sys
import threading
import unittest
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab  # noqa: E402

KEY = "sk-tls-0123456789abcdef0123456789abcdef"
DAY = "20200101000000Z", "20200102000000Z"


class Authority:
    """A certificate authority in a folder, made by the openssl command."""

    def __init__(self, folder, name="ca"):
        folder.mkdir(exist_ok=True)
        self.folder, self.name = folder, name
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2,
                     "-subj", f"/CN=Assay tests {name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")

    def openssl(self, *args):
        p = subprocess.run(["openssl", *map(str, args)], cwd=self.folder, capture_output=True, text=True)
        if p.returncode != 0:
            raise AssertionError(f"openssl {args}: {p.stderr}")

    def certificate(self, name, alternative, start=None, end=None):
        """(certificate, key) of a server that may call itself `alternative`."""
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                     f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (self.folder / "ca.conf").write_text("\n".join([
            "[ca]", "default_ca = own", "[own]", f"new_certs_dir = {self.folder}", f"database = {self.folder}/index",
            f"serial = {self.folder}/serial", "default_md = sha256", "default_days = 2", "policy = any", "unique_subject = no",
            "[any]", "commonName = supplied", "[names]", f"subjectAltName = {alternative}", ""]))
        (self.folder / "index").write_text("")
        (self.folder / "serial").write_text("01\n")
        dates = ("-startdate", start, "-enddate", end) if start else ()
        self.openssl("ca", "-batch", "-notext", "-config", "ca.conf", "-extensions", "names", "-cert", f"{self.name}.pem",
                     "-keyfile", f"{self.name}.key", "-in", f"{name}.csr", "-out", f"{name}.pem", *dates)
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


class TlsFront:
    """TLS in front of a plain endpoint. Counts handshakes that came to an end and bytes that came in through one."""

    def __init__(self, port, certificate, most=ssl.TLSVersion.TLSv1_3):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        with warnings.catch_warnings():  # that old versions should not be used is the point
            warnings.simplefilter("ignore", DeprecationWarning)
            if most < ssl.TLSVersion.TLSv1_2:
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version = most
            context.maximum_version = most
        self.target, self.context = port, context
        self.handshakes, self.failed, self.bytes_in = 0, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(plain,), daemon=True).start()

    def one(self, plain):
        try:
            plain.settimeout(20)
            with self.context.wrap_socket(plain, server_side=True) as outer:
                self.handshakes += 1
                with socket.create_connection(("127.0.0.1", self.target)) as inner:
                    threading.Thread(target=self.pump, args=(inner, outer), daemon=True).start()
                    self.pump(outer, inner, count=True)
        except OSError:  # ssl.SSLError is one
            self.failed += 1

    def pump(self, source, drain, count=False):
        try:
            while data := source.recv(65536):
                self.bytes_in += len(data) if count else 0
                drain.sendall(data)
            drain.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(workers=0)
        cls.addClassCleanup(cls.lab.close)
        cls.lab.up()
        cls.endpoint = cls.lab.endpoint("--want-key", KEY)
        cls.lab.assay("suite", "push", cls.lab.write_suite(3, name="three"))
        cls.lab.write("key", KEY + "\n").chmod(0o600)
        cls.authority = Authority(cls.lab.folder / "tls")
        cls.stranger = Authority(cls.lab.folder / "tls-stranger", "stranger")
        cls.good = cls.authority.certificate("good", "IP:127.0.0.1,DNS:localhost")

    def worker(self, name, *flags):
        settings = f"keys:\n  x: {{file: {self.lab.folder}/key}}\nallowed_hosts: ['*']\nallow_private: true\n"
        worker = self.lab.own_worker(name, settings, *flags)
        self.addCleanup(worker.stop)  # so that the next test's worker is the only one
        return worker

    def front(self, certificate, **more):
        front = TlsFront(self.endpoint.port, certificate, **more)
        self.addCleanup(front.close)
        return front

    def ask(self, name, front, ok):
        self.lab.add_model(name, f"https://127.0.0.1:{front.port}/v1", key="x")
        return self.lab.run("three", name, ok=ok)

    def check_refused(self, name, front, words):
        """A typed outcome with the reason in words, and nothing went through."""
        asked = self.endpoint.stats()["asked"]
        _, run = self.ask(name, front, ok=12)
        shown = self.lab.run_json(run)
        self.assertEqual((shown["state"], shown["progress"]["missing"]), ("incomplete", 3), shown)
        item = self.lab.json("item", "show", run, "q-00001", "--content")
        last = item["results"][-1]
        self.assertEqual((last["outcome"], last["error_class"]), ("provider_error", "tls"), item)
        evidence = " ".join([last.get("evidence") or ""] + [a["evidence"] or "" for a in item["attempts"]])
        self.assertRegex(evidence, words)
        self.assertNotIn(KEY, evidence)
        self.assertEqual((self.endpoint.stats()["asked"], front.bytes_in), (asked, 0))
        self.assertGreater(front.failed + front.handshakes, 0)  # it was there that it turned away

    def test_a_certificate_of_a_trusted_authority_is_asked(self):
        self.worker("trusting", "--ca-file", self.authority.folder / "ca.pem")
        front = self.front(self.good)
        result, run = self.ask("good", front, ok=0)
        self.assertIn("3/3", result.out)
        self.assertEqual((front.failed, self.endpoint.stats()["denied"]), (0, 0))
        self.assertIn(front.handshakes, (1, 2, 3))
        self.assertGreater(front.bytes_in, 300)
        self.assertIn("answers", self.lab.assay("models", "probe", "good").out)

    def test_what_cannot_be_trusted_is_refused_before_a_byte_of_a_prompt(self):
        self.worker("strict", "--ca-file", self.authority.folder / "ca.pem")
        for name, certificate, words in (
                ("expired", self.authority.certificate("expired", "IP:127.0.0.1", *DAY), r"(?i)expired"),
                ("elsewhere", self.authority.certificate("elsewhere", "DNS:api.example.com"), r"(?i)does not match|no alternative"),
                ("unknown", self.stranger.certificate("unknown", "IP:127.0.0.1"), r"(?i)certificate|issuer")):
            with self.subTest(name):
                self.check_refused(name, self.front(certificate), words)
        with self.subTest("TLS 1.1"):
            self.check_refused("old", self.front(self.good, most=ssl.TLSVersion.TLSv1_1), r"(?i)tls|ssl|version|protocol")

    def test_without_the_authority_the_systems_own_do_not_vouch_for_it(self):
        self.worker("plain")
        self.check_refused("unvouched", self.front(self.good), r"(?i)certificate|issuer")

    def test_a_file_of_authorities_that_is_none_is_said(self):
        worker = self.worker("wrong", "--ca-file", self.lab.write("not-a-ca.pem", "no certificate\n"))
        self.check_refused("no-authority", self.front(self.good), r"(?i)certificate|CA")
        self.assertIsNone(worker.process.poll())


if __name__ == "__main__":
    unittest.main()
