"""What a machine lets a test do: namespaces, small file systems, another user, a clock of one's own.

`enter()` moves the test into a network and mount namespace of its own, so that what it makes there is gone with it,
whatever becomes of it. What is not allowed here is named in `missing`, and its scenes are skipped loudly.
"""
import ctypes
import os
import pwd
import signal
import subprocess

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
FAKETIME = "/usr/lib/{}/faketime/libfaketimeMT.so.1"
LIBC = ctypes.CDLL(None, use_errno=True)


def call(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what + ": " + os.strerror(ctypes.get_errno()))


def enter():
    """Call before any thread. Returns what is missing: a dictionary from "net", "mount", "clock" to why."""
    missing = {}
    try:
        call(LIBC.unshare(CLONE_NEWNS), "unshare of mounts")
        call(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "private mounts")
    except OSError as e:
        missing["mount"] = str(e)
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
        call(LIBC.unshare(CLONE_NEWNET), "unshare of the network")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as e:
        missing["net"] = str(e)
    if not faketime():
        missing["clock"] = "libfaketime is not installed"
    return missing


def faketime():
    """The library that shifts the wall clock of one process, or None."""
    for triplet in ("x86_64-linux-gnu", "aarch64-linux-gnu"):
        if os.path.exists(FAKETIME.format(triplet)):
            return FAKETIME.format(triplet)
    return None


def net_namespace():
    """An open file of a new, empty network namespace: it lives as long as somebody holds it."""
    with subprocess.Popen(["sleep", "60"], preexec_fn=lambda: LIBC.unshare(CLONE_NEWNET)) as holder:
        fd = os.open(f"/proc/{holder.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        holder.kill()
    return fd


def small_disk(path, megabytes, user=None):
    """A tmpfs; False when that is not allowed. It goes with our mount namespace."""
    os.makedirs(path, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", path], capture_output=True,
                          check=False)
    if user:
        os.chown(path, user.pw_uid, user.pw_gid)
    return done.returncode == 0


def database_user():
    """Whose PostgreSQL is: it refuses to run as root."""
    return pwd.getpwnam("postgres") if os.getuid() == 0 else None


def become(namespace=None, user=None):
    """For a child before exec: there, as that user, and it dies with us."""
    def prepare():
        if namespace is not None and LIBC.setns(namespace, CLONE_NEWNET) != 0:
            os._exit(126)
        if user:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        LIBC.prctl(1, signal.SIGKILL)
        os.setsid()
    return prepare


def key_pair():
    """A CURVE pair as text."""
    zmq = ctypes.CDLL("libzmq.so.5")
    public, secret = ctypes.create_string_buffer(41), ctypes.create_string_buffer(41)
    call(zmq.zmq_curve_keypair(public, secret), "zmq_curve_keypair")
    return public.value.decode(), secret.value.decode()
