"""Puts the frames of a capture into an encapsulation, as a router, a switch or an access point on the way does it.

encapsulate.py KIND FROM.pcap TO.pcap

Kernels of small machines lack most of these devices, so the headers are written by scapy; what is inside was sent by real programs.
Which end of the tunnel a frame leaves from depends on its sender: who is in 10.20.0.0/16 or fd00:20::/64 is behind SITE, all others
behind CENTRE. Frames that carry no IP (ARP) are left out where the encapsulation carries packets.
"""

import struct
import sys

from scapy.all import IP, UDP, Ether, IPv6, PcapReader, PcapWriter, Raw, fragment
from scapy.contrib.erspan import ERSPAN_I, ERSPAN_II, ERSPAN_III, ERSPAN_PlatformSpecific
from scapy.contrib.etherip import EtherIP
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.mpls import MPLS, EoMCW
from scapy.layers.dot11 import Dot11, Dot11QoS, RadioTap
from scapy.layers.ipsec import AH
from scapy.layers.l2 import GRE, LLC, SNAP, Dot1AD, Dot1Q, Dot3, GRE_PPTP
from scapy.layers.l2tp import L2TP
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.layers.vxlan import VXLAN

SITE, CENTRE = "198.51.100.11", "198.51.100.12"
SITE6, CENTRE6 = "2001:db8::11", "2001:db8::12"
MACS = "02:00:c6:33:64:0b", "02:00:c6:33:64:0c"
count = 0


def from_site(frame):
    packet = frame.getlayer(IP) or frame.getlayer(IPv6)
    if packet is None:
        return frame.src < frame.dst
    return packet.src.startswith(("10.20.", "fd00:20:"))


def outer_frame(frame):
    return Ether(src=MACS[0], dst=MACS[1]) if from_site(frame) else Ether(src=MACS[1], dst=MACS[0])


def outer(frame):
    """Ethernet and IPv4 between the two ends."""
    ends = (SITE, CENTRE) if from_site(frame) else (CENTRE, SITE)
    return outer_frame(frame) / IP(src=ends[0], dst=ends[1], id=count & 0xFFFF, ttl=62)


def outer6(frame):
    ends = (SITE6, CENTRE6) if from_site(frame) else (CENTRE6, SITE6)
    return outer_frame(frame) / IPv6(src=ends[0], dst=ends[1], hlim=62)


def udp(port, source=None):
    return UDP(sport=source or 49152 + count % 7, dport=port, chksum=0)


def packet(frame):
    return frame[IPv6] if IPv6 in frame else frame[IP]


def is_four(frame):
    return IP in frame


def ether_type(frame):
    return 0x0800 if is_four(frame) else 0x86DD


def ppp(frame):
    return HDLC() / PPP(proto=0x0021 if is_four(frame) else 0x0057) / packet(frame)


def tagged(frame, *tags):
    inner = frame.payload
    for kind, vlan in reversed(tags):
        inner = kind(vlan=vlan, type=inner_type(inner, frame)) / inner
    return Ether(src=frame.src, dst=frame.dst, type=inner_type(inner, frame)) / inner


def inner_type(inner, frame):
    return {Dot1Q: 0x8100, Dot1AD: 0x88A8}.get(type(inner), frame.type)


def gre_fragments(frame):
    whole = outer(frame) / GRE(proto=0x6558) / frame
    return fragment(whole, fragsize=480) if len(whole) > 514 else whole


def capwap(frame):
    """scapy has no CAPWAP: version 0, header of 2 words, radio 1, 802.11, native frame (RFC 5415, 4.3)."""
    up = from_site(frame)
    ports = (10020, 5247) if up else (5247, 10020)
    header = Raw(struct.pack("!BBBBHH", 0, 2 << 3, 1 << 6 | 1 << 1 | 1, 0, 0, 0))
    return outer(frame) / UDP(sport=ports[0], dport=ports[1], chksum=0) / header / wlan(frame)


def wlan(frame):
    access_point = "02:00:0a:14:00:fe"
    up = from_site(frame)
    addresses = (access_point, frame.src, frame.dst) if up else (frame.dst, access_point, frame.src)
    head = Dot11(type=2, subtype=8, FCfield=1 if up else 2, addr1=addresses[0], addr2=addresses[1], addr3=addresses[2], SC=count << 4 & 0xFFFF)
    return head / Dot11QoS() / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=frame.type) / frame.payload


def teredo(frame):
    """A client behind a translator, and a relay: IPv6 in UDP without any header. The client's address is a Teredo address."""
    up = from_site(frame)
    ends = ("10.20.0.21", 50321, "198.51.100.36", 3545) if up else ("198.51.100.36", 3545, "10.20.0.21", 50321)
    inner = frame[IPv6].copy()
    client = "2001:0:c633:6424:8000:3b6e:39cc:9bf6"  # server 198.51.100.36, port 50321, 198.51.100.9, both inverted
    inner.src, inner.dst = (client, inner.dst) if up else (inner.src, client)
    del inner.payload.chksum
    return outer_frame(frame) / IP(src=ends[0], dst=ends[2], id=count & 0xFFFF) / UDP(sport=ends[1], dport=ends[3], chksum=0) / inner


def pptp(frame):
    inner = ppp(frame)
    header = GRE_PPTP(call_id=9, payload_len=len(inner), seqnum_present=1, sequence_number=count)
    return outer(frame) / header / inner


def l2tp(frame):
    inner = ppp(frame)
    header = L2TP(hdr="length", version=2, len=len(inner) + 8, tunnel_id=7, session_id=9)
    return outer(frame) / UDP(sport=1701, dport=1701, chksum=0) / header / inner


def gtp(frame):
    uplink = from_site(frame)
    header = GTP_U_Header(teid=0x1000 + uplink, E=1, next_ex=0x85) / GTPPDUSessionContainer(type=int(uplink), QFI=9)
    return outer(frame) / UDP(sport=2152, dport=2152, chksum=0) / header / packet(frame)


def in_ah(frame):
    inner = packet(frame).copy()
    header = AH(nh=inner.proto, spi=0x100, seq=count, icv=bytes(range(12)), payloadlen=4)
    payload = bytes(inner.payload)
    inner.remove_payload()
    inner.proto, inner.len, inner.chksum = 51, None, None
    return Ether(src=frame.src, dst=frame.dst) / inner / Raw(bytes(header)[:12] + header.icv) / Raw(payload)


def three_deep(frame):
    """A switch mirrors (ERSPAN) a port with VXLAN, in which a site has GRE."""
    gre = outer(frame) / GRE() / packet(frame)
    vxlan = outer(frame) / udp(4789) / VXLAN(flags=8, vni=77) / gre
    return outer6(frame) / GRE(seqnum_present=1, sequence_number=count) / ERSPAN_II(vlan=30, session_id=3) / tagged(vxlan, (Dot1Q, 30))


# KIND: what becomes of a frame, whether it has to carry IP, link type of the result.
KINDS = {
    "gre": (lambda f: outer(f) / GRE(key_present=1, key=42, chksum_present=1, proto=ether_type(f)) / packet(f), True, 1),
    "gre-fragments": (gre_fragments, False, 1),
    "nvgre": (lambda f: outer(f) / GRE(key_present=1, key=0x5001 << 8 | count % 5, proto=0x6558) / f, False, 1),
    "gre-in-udp": (lambda f: outer6(f) / udp(4754) / GRE(proto=ether_type(f)) / packet(f), True, 1),
    "pptp": (pptp, True, 1),
    "erspan-1": (lambda f: outer(f) / GRE(proto=0x88BE) / f, False, 1),
    "erspan-2": (lambda f: outer(f) / GRE(proto=0x88BE, seqnum_present=1, seqence_number=count) / ERSPAN_II(vlan=20, session_id=3) / f, False, 1),
    "erspan-3": (lambda f: outer(f) / GRE(proto=0x22EB, seqnum_present=1, seqence_number=count)
                 / ERSPAN_III(vlan=20, session_id=3, timestamp=count, o=1) / ERSPAN_PlatformSpecific(platf_id=3, info1=0, info2=0) / f, False, 1),
    "vxlan-ipv6": (lambda f: outer6(f) / udp(4789) / VXLAN(flags=8, vni=5001) / tagged(f, (Dot1Q, 30)), False, 1),
    "geneve": (lambda f: outer(f) / udp(6081) / GENEVE(vni=5002, proto=0x6558, options=[GeneveOptions(classid=0x103, type=1, length=1, data=b"lab.")]) / f, False, 1),
    "gtp": (gtp, True, 1),
    "teredo": (teredo, True, 1),
    "4in4": (lambda f: outer(f) / packet(f), True, 1),
    "6in4": (lambda f: outer(f) / packet(f), True, 1),
    "4in6": (lambda f: outer6(f) / packet(f), True, 1),
    "6in6": (lambda f: outer6(f) / packet(f), True, 1),
    "ah": (in_ah, True, 1),
    "capwap": (capwap, True, 1),
    "l2tp": (l2tp, True, 1),
    "etherip": (lambda f: outer(f) / EtherIP() / f, False, 1),
    "mpls": (lambda f: outer_frame(f) / MPLS(label=16106, s=0, ttl=62) / MPLS(label=99, s=1, ttl=62) / packet(f), True, 1),
    "mpls-pseudowire": (lambda f: outer_frame(f) / MPLS(label=77, s=1, ttl=62) / EoMCW(seq=count) / f, False, 1),
    "pppoe-in-vlan": (lambda f: tagged(outer_frame(f) / PPPoE(sessionid=0x21) / PPP(proto=0x0021 if is_four(f) else 0x0057) / packet(f), (Dot1Q, 7)), True, 1),
    "qinq": (lambda f: tagged(f, (Dot1AD, 100), (Dot1Q, 30)), False, 1),
    "vlan-by-direction": (lambda f: tagged(f, (Dot1Q, 10 if from_site(f) else 20)), False, 1),
    "llc-snap": (lambda f: Dot3(src=f.src, dst=f.dst) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=f.type) / f.payload, True, 1),
    "copies": (lambda f: [f, tagged(f, (Dot1Q, 30)), outer(f) / udp(4789) / VXLAN(flags=8, vni=9) / f], False, 1),
    "three-deep": (three_deep, True, 1),
    "ppp": (lambda f: ppp(f), True, 9),
    "cisco-hdlc": (lambda f: Raw(struct.pack("!BBH", 0x0F, 0, ether_type(f))) / packet(f), True, 104),
    "radiotap": (lambda f: RadioTap() / wlan(f), True, 127),
}


def main():
    global count
    kind, source, target = sys.argv[1:]
    wrap, wants_ip, link = KINDS[kind]
    frames = []
    for frame in PcapReader(source):
        if wants_ip and IP not in frame and IPv6 not in frame:
            continue
        # Padding of short frames is of the link that they came from.
        frame = Ether(bytes(frame)[: 14 + frame[IP].len]) if IP in frame else frame
        at, count = frame.time, count + 1
        wrapped = wrap(frame)
        for each in wrapped if isinstance(wrapped, list) else [wrapped]:
            frames.append((at, bytes(each)))
    with PcapWriter(target, linktype=link, sync=False) as out:
        for at, octets in frames:
            seconds = int(at)
            out.write_header(None) if not out.header_present else None
            out.write_packet(octets, sec=seconds, usec=int((at - seconds) * 1_000_000), caplen=len(octets), wirelen=len(octets))


main()
