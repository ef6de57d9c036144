"""deploy/packages/install on machines where something is amiss; dpkg-query, apt-get and sudo are scripts of the test."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
INSTALL = ROOT / "deploy/packages/install"
LISTED = [line.split() for line in (ROOT / "deploy/packages/debian-12.txt").read_text().splitlines()
          if line.strip() and not line.startswith("#")]
RUN = [package for group, package in LISTED if group == "run"]
TOOLS = ["awk", "bash", "cat", "cut", "dirname", "env", "fold", "grep", "head", "mktemp", "rm", "sed", "sleep", "tail", "tr", "wc"]


class Install(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="assay install "))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.calls = self.folder / "calls"
        self.calls.touch()
        for tool in TOOLS + ["mkdir", "tee"]:
            (self.folder / tool).symlink_to(shutil.which(tool))
        self.program("id", "echo 0")
        self.there(RUN)

    def program(self, name, text):
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.calls}"\n{text}\n')
        path.chmod(0o755)

    def there(self, packages):
        self.program("dpkg-query", "".join(f"echo '{p} installed'\n" for p in packages) + "exit 1")

    def apt(self, update="", install=""):
        self.program("apt-get", f'case "$*" in *" update") {update or ":"} ;; *) {install or ":"} ;; esac')

    def install(self, *arguments, status=0):
        p = subprocess.run(["/bin/bash", INSTALL, *arguments], env={"PATH": str(self.folder), "TMPDIR": str(self.folder)},
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertEqual(p.returncode, status, p.stdout)
        return p.stdout

    def called(self, name):
        return [line for line in self.calls.read_text().splitlines() if line.startswith(name + " ")]

    def test_nothing_missing_does_nothing_and_says_nothing(self):
        self.apt()
        self.assertEqual(self.install("run"), "")
        self.assertEqual(self.called("apt-get"), [])

    def test_exactly_what_is_missing_is_installed_and_nothing_removed(self):
        self.there(RUN[2:])
        self.apt()
        self.install("run")
        call = self.called("apt-get")[-1]
        self.assertEqual(call.split()[-2:], RUN[:2])
        self.assertIn(" --no-remove ", call)
        self.assertIn(" -y ", call)

    def test_without_network_it_says_so(self):
        self.there([])
        self.apt("echo \"W: Failed to fetch http://x/InRelease  Temporary failure resolving 'x'\"",
                 "echo 'E: Unable to locate package libzmq5'; exit 100")
        out = self.install("run", status=1)
        self.assertIn("the package archive cannot be reached", out)
        self.assertIn("http://x/InRelease", out)
        self.assertNotIn("Unable to locate", out)

    def test_a_full_disk_is_told(self):
        self.there([])
        self.apt(install="echo \"E: You don't have enough free space in /var/cache/apt/archives/.\"; exit 100")
        self.assertIn("the disk is full", self.install("run", status=1))

    def test_packages_that_would_have_to_go_stay(self):
        self.there([])
        self.apt(install="echo 'E: Packages need to be removed but remove is disabled.'; exit 100")
        self.assertIn("other packages of this machine would have to go", self.install("run", status=1))

    def test_another_apt_get_is_waited_for(self):
        self.there([])
        self.apt(f"if [ ! -e '{self.folder}/once' ]; then echo >'{self.folder}/once'; "
                 "echo 'E: Could not get lock /var/lib/apt/lists/lock'; exit 100; fi")
        self.install("run")
        self.assertEqual(len([c for c in self.called("apt-get") if c.endswith(" update")]), 2)

    def test_who_is_not_root_and_has_no_sudo_gets_the_command_for_root(self):
        self.there([])
        self.apt()
        self.program("id", "echo 1000")
        out = self.install("build", "run", status=1)
        self.assertIn(f"let root run: bash {INSTALL} build run", out)
        self.assertEqual(self.called("apt-get"), [])

    def test_sudo_that_wants_a_password_asks_no_question_without_a_terminal(self):
        self.there([])
        self.apt()
        self.program("id", "echo 1000")
        self.program("sudo", "exit 1")
        self.assertIn("sudo wants a password and there is no terminal", self.install("run", status=1))
        self.assertEqual(self.called("sudo"), ["sudo -n true"])

    def test_an_unknown_group_is_refused(self):
        self.assertIn("no group 'everything'", self.install("everything", status=2))

    def test_a_machine_without_dpkg_is_told_so(self):
        (self.folder / "dpkg-query").unlink()
        self.assertIn("not a Debian machine", self.install("run", status=1))


class List(unittest.TestCase):
    def test_each_line_is_a_known_group_and_a_package_and_none_stands_twice(self):
        self.assertTrue(all(len(line) == 2 and line[0] in ("build", "run", "test", "lint") for line in LISTED))
        packages = [line[1] for line in LISTED]
        self.assertEqual(len(packages), len(set(packages)))


if __name__ == "__main__":
    unittest.main()
