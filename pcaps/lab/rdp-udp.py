"""Both ends of RDP-UDP (MS-RDPEUDP, MS-RDPEUDP2), as far as the handshake of TLS inside: no free program speaks it over UDP.

rdp-udp.py server ADDRESS PORT VERSION CERTIFICATE KEY    answers one connection; VERSION 1, 2 or 3, 0 never answers
rdp-udp.py client ADDRESS PORT VERSION

The layout is that of the documents; TLS is Python's (OpenSSL). Packets are sent once and acknowledged, nothing is lost.
"""

import socket
import ssl
import struct
import sys
import time

SYN, ACK, DATA, CORRELATION_ID, SYN_EX = 0x0001, 0x0004, 0x0008, 0x0800, 0x1000
NUMBERS = {1: 0x0001, 2: 0x0002, 3: 0x0101}
MTU = 1232


def syn(initial, version, acknowledged=0xFFFFFFFF, answers=False):
    flags = SYN | SYN_EX | (ACK if answers else CORRELATION_ID)
    octets = struct.pack(">IHHIHH", acknowledged, 64, flags, initial, MTU, MTU)
    if not answers:
        octets += bytes(range(16)) + bytes(16)
    octets += struct.pack(">HH", 1, NUMBERS[version])
    if version == 3 and not answers:
        octets += bytes(range(32))
    return octets.ljust(MTU, b"\0")


class Transport:
    """Packets with data behind the SYNs."""

    def __init__(self, version, own, other):
        self.version, self.own, self.other = version, own, other

    def pack(self, octets):
        self.own += 1
        if self.version < 3:
            vector = struct.pack(">HBB", 2, 0, 0)
            header = struct.pack(">IHH", self.other, 64, ACK | DATA)
            return header + vector + struct.pack(">II", self.own, self.own) + octets
        header = struct.pack("<BH", 0, 0x0005 | 6 << 12)  # prefix; ACK, DATA, window
        acknowledgement = struct.pack("<H3sBB", self.other & 0xFFFF, b"\x10\x20\x30", 1, 0)
        packet = bytearray(header + acknowledgement + struct.pack("<HH", self.own & 0xFFFF, self.own & 0xFFFF) + octets)
        packet[0], packet[7] = packet[7], packet[0]
        return bytes(packet)

    def unpack(self, packet):
        self.other += 1
        return packet[20:] if self.version < 3 else packet[14:]


def handshake(tls, incoming, outgoing, send, receive):
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            flush(outgoing, send)
            incoming.write(receive())
    flush(outgoing, send)


def flush(outgoing, send):
    while octets := outgoing.read(1130):
        send(octets)


def server(address, port, version, certificate, key):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    packet, peer = sock.recvfrom(2048)
    if not version:
        time.sleep(30)
        return
    initial = struct.unpack(">I", packet[8:12])[0]
    sock.sendto(syn(0x51515151, version, initial, answers=True), peer)
    transport = Transport(version, 0x51515151, initial)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    handshake(tls, incoming, outgoing, lambda octets: sock.sendto(transport.pack(octets), peer),
              lambda: transport.unpack(sock.recv(2048)))
    time.sleep(1)


def client(address, port, version):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((address, port))
    sock.settimeout(1)
    for _ in range(3):
        sock.send(syn(0x10203040, version))
        try:
            answer = sock.recv(2048)
            break
        except TimeoutError:
            pass
    else:
        return
    initial = struct.unpack(">I", answer[8:12])[0]
    transport = Transport(version, 0x10203040, initial)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="term01.corp.example")
    handshake(tls, incoming, outgoing, lambda octets: sock.send(transport.pack(octets)),
              lambda: transport.unpack(sock.recv(2048)))


role, address, port, version, *files = sys.argv[1:]
{"server": server, "client": client}[role](address, int(port), int(version), *files)
