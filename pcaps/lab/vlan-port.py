"""An access port of a VLAN switch, in user space: kernels of small machines lack 8021q.

vlan-port.py HOST-NAMESPACE VLAN-ID MAC TRUNK-PORT

Makes the tap `eth0` in the host's namespace (untagged) and the tap TRUNK-PORT here (tagged), and carries frames between them.
"""

import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys

TUNSETIFF, IFF_TAP, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 2, 0x1000, 0x40000000


def tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def enter(path):
    with open(path) as namespace:
        if ctypes.CDLL(None).setns(namespace.fileno(), CLONE_NEWNET):
            sys.exit("vlan-port: setns")


host, vlan, mac, trunk_port = sys.argv[1:]
tag = struct.pack("!HH", 0x8100, int(vlan))
trunk = tap(trunk_port)
enter(f"/run/netns/{host}")
access = tap("eth0")
subprocess.run(["ip", "link", "set", "eth0", "address", mac], check=True)
print("ready", flush=True)
while True:
    for fd in select.select([trunk, access], [], [])[0]:
        frame = os.read(fd, 65536)
        try:
            if fd == access:
                os.write(trunk, frame[:12] + tag + frame[12:])
            elif frame[12:16] == tag:
                os.write(access, frame[:12] + frame[16:])
        except OSError:
            pass  # a port that is not up yet drops, as a switch does
