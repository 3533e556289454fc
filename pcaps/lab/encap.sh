# Encapsulations: what real programs said, inside what networks put around it.
#
# The kernel's own device makes VXLAN. All else is put around the frames by encapsulate.py (scapy) after they were captured, as a
# router or a switch on the way would have done it. The session inside is small: curl reads a page over TLS, or TigerVNC looks.

# wrap KIND: what was captured becomes what somebody behind the encapsulation would have captured.
wrap() {
    made_with "scapy $(pip_version scapy)"
    "$TOOLS/py/bin/python" "$HERE/encapsulate.py" "$1" "$TMP/raw/capture.pcap" "$TMP/raw/wrapped.pcap" ||
        die "encapsulate.py $1"
    mv "$TMP/raw/wrapped.pcap" "$TMP/raw/capture.pcap"
}

# A small certificate: captures of a handshake stay under five kilobytes.
page_over_tls() {   # SERVER-ADDRESS CLIENT-ADDRESS NAME; $MTU of the link
    host www "$1"
    host pc21 "$2"
    [[ ! ${MTU:-} ]] || { ip -n www link set eth0 mtu "$MTU"; ip -n pc21 link set eth0 mtu "$MTU"; }
    deb curl openssl
    printf '%s %s\n' "$1" "$3" >>"$TMP/hosts"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj "/CN=$3" -keyout "$TMP/$3.key" -out "$TMP/$3.crt" 2>/dev/null
    tls_server www 443 "$3" -www -num_tickets 1
    capture 'tcp port 443'
    quietly 5 pc21 curl -sk "https://$3/"
    capture_end
}

encap_four() {   # KIND NAME [FILTER [tshark options]]: over IPv4 inside
    page_over_tls 198.51.100.80 10.20.0.21 "$2"
    wrap "$1"
    save "$FILE"
    expect "tls.handshake.extensions_server_name == \"$2\"${3:+ && $3}" "${@:4}"
}

encap_six() {
    lab_ipv6
    page_over_tls 2001:db8::80 fd00:20::21 "$2"
    wrap "$1"
    save "$FILE"
    expect "tls.handshake.extensions_server_name == \"$2\"${3:+ && $3}" "${@:4}"
}

# ---------------------------------------------------------------- links

scenario encap/vlan-by-direction 'encap_four vlan-by-direction vlan.example.org "vlan.id == 10"; expect "vlan.id == 20"' encap/vlan-by-direction.pcapng \
    'curl on 10.20.0.21 reads https://vlan.example.org/ (198.51.100.80:443): VLAN 10 on the way out, VLAN 20 on the way back. One flow.'

scenario encap/qinq 'encap_four qinq qinq.example.org "vlan.id == 30"' encap/qinq.pcapng \
    'curl on 10.20.0.21 reads https://qinq.example.org/: 802.1ad service tag 100, customer tag 30.'

scenario encap/llc-snap 'MTU=1492 encap_four llc-snap snap.example.org llc' encap/llc-snap.pcapng \
    'curl on 10.20.0.21 reads https://snap.example.org/ in 802.3 frames with LLC and SNAP.'

scenario encap/mpls 'encap_four mpls mpls.example.org "mpls.label == 16106 && mpls.label == 99"' encap/mpls.pcapng \
    'curl on 10.20.0.21 reads https://mpls.example.org/ below two MPLS labels.'

scenario encap/mpls-pseudowire 'encap_four mpls-pseudowire pw.example.org mpls' encap/mpls-pseudowire.pcapng \
    'curl on 10.20.0.21 reads https://pw.example.org/ in an Ethernet pseudowire with control word.'

scenario encap/pppoe-in-vlan 'encap_four pppoe-in-vlan pppoe.example.org "pppoes && vlan.id == 7"' encap/pppoe-in-vlan.pcapng \
    'curl on 10.20.0.21 reads https://pppoe.example.org/ over PPPoE inside VLAN 7, as DSL lines have it.'

scenario encap/ppp 'encap_four ppp ppp.example.org ppp' encap/ppp.pcapng \
    'curl on 10.20.0.21 reads https://ppp.example.org/: a capture of link type PPP.'

scenario encap/cisco-hdlc 'encap_four cisco-hdlc hdlc.example.org chdlc' encap/cisco-hdlc.pcapng \
    "curl on 10.20.0.21 reads https://hdlc.example.org/: a capture of link type Cisco HDLC."

scenario encap/radiotap 'encap_four radiotap wlan.example.org wlan' encap/radiotap.pcapng \
    'curl on 10.20.0.21 reads https://wlan.example.org/ over 802.11 without encryption: a capture of link type radiotap.'

# ---------------------------------------------------------------- tunnels of networks

scenario encap/gre-vnc encap_gre_vnc encap/gre-vnc.pcapng \
    'TigerVNC viewer 203.0.113.9 to Xvnc 10.20.0.11:5900 with the right password, through GRE with key and checksum between 198.51.100.11 and 198.51.100.12.' \
    vnc.session vnc.exposed
encap_gre_vnc() {
    vnc_lab
    tigervnc web01 5900 -SecurityTypes VncAuth
    capture 'tcp port 5900'
    tiger stranger 10.20.0.11 5900 2 -passwd "$TMP/right"
    capture_end
    wrap gre
    KEEP_KB=20 save "$FILE"
    expect 'gre.key == 42 && vnc.auth_result == 0'
}

scenario encap/gre-fragments 'encap_four gre-fragments frag.example.org gre' encap/gre-fragments.pcapng \
    'curl on 10.20.0.21 reads https://frag.example.org/ in Ethernet over GRE; the larger outer packets come in fragments.'

scenario encap/nvgre 'encap_four nvgre nvgre.example.org "gre.key"' encap/nvgre.pcapng \
    'curl on 10.20.0.21 reads https://nvgre.example.org/ in NVGRE, virtual subnet 0x5001.'

scenario encap/gre-in-udp 'encap_four gre-in-udp greudp.example.org' encap/gre-in-udp.pcapng \
    'curl on 10.20.0.21 reads https://greudp.example.org/ in GRE in UDP (port 4754) over IPv6.'

scenario encap/erspan-1 'encap_four erspan-1 erspan1.example.org gre' encap/erspan-1.pcapng \
    'ERSPAN type I: what curl on 10.20.0.21 has with https://erspan1.example.org/.'
scenario encap/erspan-2 'encap_four erspan-2 erspan2.example.org erspan' encap/erspan-2.pcapng \
    'ERSPAN type II: what curl on 10.20.0.21 has with https://erspan2.example.org/.'
scenario encap/erspan-3 'encap_four erspan-3 erspan3.example.org erspan' encap/erspan-3.pcapng \
    'ERSPAN type III with the sub-header of a platform: what curl on 10.20.0.21 has with https://erspan3.example.org/.'

scenario encap/vxlan encap_vxlan encap/vxlan.pcapng \
    'The VXLAN device of Linux between 10.20.0.21 and 10.20.0.22, network 4096: curl on 172.16.9.1 reads https://vxlan.example.org/ (172.16.9.2).'
encap_vxlan() {
    local name n=0 peer
    deb curl openssl iproute2
    made_with "Linux $(uname -r | sed 's/[-+].*//')"
    for name in pc21 www; do
        n=$((n + 1))
        host "$name" "10.20.0.2$n"
        peer=10.20.0.2$((3 - n))
        ip -n "$name" link add vxlan0 address "02:00:ac:10:09:0$n" type vxlan id 4096 remote "$peer" dstport 4789 dev eth0
        in_ns "$name" sysctl -qw net.ipv6.conf.vxlan0.disable_ipv6=1
        in_ns "$name" bash -c "$(declare -f plain_veth); plain_veth vxlan0"
        ip -n "$name" addr add "172.16.9.$n/24" dev vxlan0
        ip -n "$name" link set vxlan0 up
    done
    printf '172.16.9.2 vxlan.example.org\n' >>"$TMP/hosts"
    tls_server www 443 vxlan.example.org -www
    capture
    quietly 5 pc21 curl -sk https://vxlan.example.org/
    capture_end
    save "$FILE"
    expect 'vxlan.vni == 4096 && tls.handshake.extensions_server_name == "vxlan.example.org"'
    expect 'vxlan && arp'
}

scenario encap/vxlan-ipv6 'encap_four vxlan-ipv6 vxlan6.example.org "vxlan && vlan.id == 30"' encap/vxlan-ipv6.pcapng \
    'curl on 10.20.0.21 reads https://vxlan6.example.org/ in VLAN 30 in VXLAN over IPv6.'

scenario encap/geneve 'encap_four geneve geneve.example.org "geneve.vni == 5002"' encap/geneve.pcapng \
    'curl on 10.20.0.21 reads https://geneve.example.org/ in Geneve with an option.'

scenario encap/gtp 'encap_four gtp gtp.example.org gtp' encap/gtp.pcapng \
    'curl on 10.20.0.21, a mobile subscriber, reads https://gtp.example.org/: GTP-U with the extension header of 5G.'

scenario encap/capwap 'encap_four capwap capwap.example.org wlan -o capwap.swap_fc:FALSE' encap/capwap.pcapng \
    'curl on 10.20.0.21 behind an access point reads https://capwap.example.org/: 802.11 frames in CAPWAP to the controller.'

scenario encap/4in4 'encap_four 4in4 four4.example.org "ip.proto == 4"' encap/4in4.pcapng \
    'curl on 10.20.0.21 reads https://four4.example.org/ in IPv4 in IPv4.'
scenario encap/4in6 'encap_four 4in6 four6.example.org "ipv6.nxt == 4"' encap/4in6.pcapng \
    'curl on 10.20.0.21 reads https://four6.example.org/ in IPv4 in IPv6.'
scenario encap/6in4 'encap_six 6in4 six4.example.org "ip.proto == 41"' encap/6in4.pcapng \
    'curl on fd00:20::21 reads https://six4.example.org/ (2001:db8::80) in IPv6 in IPv4.'
scenario encap/6in6 'encap_six 6in6 six6.example.org "ipv6.nxt == 41"' encap/6in6.pcapng \
    'curl on fd00:20::21 reads https://six6.example.org/ in IPv6 in IPv6.'

scenario encap/ah 'encap_four ah ah.example.org ah' encap/ah.pcapng \
    'curl on 10.20.0.21 reads https://ah.example.org/ with an Authentication Header (the check value is made up).'

scenario encap/etherip 'encap_four etherip etherip.example.org etherip' encap/etherip.pcapng \
    'curl on 10.20.0.21 reads https://etherip.example.org/ in Ethernet in IP.'

# ---------------------------------------------------------------- tunnels of machines

scenario encap/teredo 'encap_six teredo teredo.example.org teredo -d udp.port==3545,teredo' encap/teredo.pcapng \
    'A Teredo client on 10.20.0.21:50321 and a relay 198.51.100.36:3545, no server: curl reads https://teredo.example.org/.' \
    tunnel.teredo

scenario encap/pptp 'encap_four pptp pptp.example.org "gre && ppp"' encap/pptp.pcapng \
    "The data of PPTP without encryption and without its control connection: curl on 10.20.0.21 reads https://pptp.example.org/." \
    vpn.pptp

scenario encap/l2tp 'encap_four l2tp l2tp.example.org l2tp' encap/l2tp.pcapng \
    "The data of L2TP without IPsec and without its control messages: curl on 10.20.0.21 reads https://l2tp.example.org/." \
    vpn.l2tp

# ---------------------------------------------------------------- several at once

scenario encap/three-deep 'encap_four three-deep deep.example.org "erspan && vxlan && gre"' encap/three-deep.pcapng \
    'A switch mirrors with ERSPAN over IPv6 what VLAN 30 has: VXLAN, in which is GRE, in which curl on 10.20.0.21 reads https://deep.example.org/.'

scenario encap/copies 'encap_four copies copies.example.org; expect vxlan; expect vlan' encap/copies.pcapng \
    'A span that shows each frame three times: as it is, with VLAN tag 30, in VXLAN. curl on 10.20.0.21 reads https://copies.example.org/.'
