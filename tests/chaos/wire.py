"""The network of a chaos test: one TUN device in each namespace, and this process as the only way between them.

It says what the packets of one direction meet: nothing, a drop, a share of loss, a delay. So "one direction only" is one
rule, the same on every kernel that has TUN (sch_netem and netfilter are often missing from small machines). IPv4 only.

    python3 wire.py SEED '[["hub", "10.77.0.1", FD], ...]'      FD: an open /proc/PID/ns/net, inherited

Prints "ready". Lines to its stdin: `FROM TO KIND VALUE` with KIND drop (share, 0 to 1) or delay (milliseconds); `clear`;
`count`, which is answered by "PACKETS DROPPED". It ends with its stdin. One thread; packets of a direction keep order.
"""
import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
MTU = 9000
LIBC = ctypes.CDLL(None, use_errno=True)


def enter_net(fd):
    if LIBC.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def open_tun(address, namespace):
    """A device in that namespace, up, with that address; this thread stays there."""
    enter_net(namespace)
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"wire0", IFF_TUN | IFF_NO_PI))
    for words in (["link", "set", "lo", "up"], ["address", "add", address + "/24", "dev", "wire0"],
                  ["link", "set", "wire0", "mtu", str(MTU), "txqueuelen", "5000", "up"]):
        subprocess.run(["ip", *words], check=True)
    return fd


class Wire:
    def __init__(self, seed, parts):
        self.random = random.Random(seed)
        self.names = {}
        self.fds = {}
        self.address_of = {}
        for name, address, namespace in parts:
            packed = bytes(int(b) for b in address.split("."))
            self.names[name] = packed
            self.fds[packed] = open_tun(address, namespace)
            self.address_of[self.fds[packed]] = packed
        self.rules = {}  # (from, to) -> [share dropped, delay in seconds]
        self.delayed = []  # (due, number, from, to, packet)
        self.packets = self.dropped = self.number = 0

    def command(self, line):
        words = line.split()
        if words == ["clear"]:
            self.rules.clear()
        elif words == ["count"]:
            print(self.packets, self.dropped, flush=True)
        else:
            source, target, kind, value = words
            rule = self.rules.setdefault((self.names[source], self.names[target]), [0.0, 0.0])
            rule[kind == "delay"] = float(value) / (1000 if kind == "delay" else 1)

    def send(self, target, packet):
        try:
            os.write(self.fds[target], packet)
        except OSError:
            self.dropped += 1  # its device is down

    def take(self, fd):
        source = self.address_of[fd]
        for _ in range(64):
            try:
                packet = os.read(fd, MTU + 100)
            except OSError:
                return
            target = packet[16:20]
            if packet[0] >> 4 != 4 or target not in self.fds:
                continue
            self.packets += 1
            share, delay = self.rules.get((source, target), (0.0, 0.0))
            if share and self.random.random() < share:
                self.dropped += 1
            elif delay:
                self.number += 1
                heapq.heappush(self.delayed, (time.monotonic() + delay, self.number, target, packet))
            else:
                self.send(target, packet)

    def run(self):
        poll = select.epoll()
        for fd in self.address_of:
            poll.register(fd, select.EPOLLIN)
        poll.register(0, select.EPOLLIN | select.EPOLLHUP)
        os.set_blocking(0, False)
        rest = b""
        while True:
            wait = max(0.0, self.delayed[0][0] - time.monotonic()) if self.delayed else -1
            for fd, _ in poll.poll(wait):
                if fd:
                    self.take(fd)
                    continue
                data = os.read(0, 65536)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self.command(line.decode())
            now = time.monotonic()
            while self.delayed and self.delayed[0][0] <= now:
                _, _, target, packet = heapq.heappop(self.delayed)
                self.send(target, packet)


if __name__ == "__main__":
    WIRE = Wire(int(sys.argv[1]), json.loads(sys.argv[2]))
    print("ready", flush=True)
    WIRE.run()
