# DTLS, STUN and TURN.
#
# Servers stand on the internet (198.51.100.x), clients are pc21 (10.20.0.21) and pc22 (10.20.0.22).

dtls_lab() {
    host pc21 10.20.0.21
    host vpn 198.51.100.60
    certificate vpn vpn.example.org
}

udp_listening() {   # HOST PORT
    local n
    for ((n = 0; n < 100; n++)); do
        if [[ $(in_ns "$1" ss -Hlun "sport = :$2") ]]; then return 0; fi
        sleep 0.1
    done
    die "nothing listens on $1 port $2: $(tail -n 5 "$LOG")"
}

dtls_openssl() {   # SERVER-OPTIONS CLIENT-OPTIONS
    dtls_lab
    deb openssl
    # Over datagrams s_server ends with its standard input.
    start vpn sh -c "sleep 20 | openssl s_server -accept 4433 -cert $TMP/vpn.crt -key $TMP/vpn.key $1"
    udp_listening vpn 4433
    capture
    at pc21 sh -c "sleep 1 | timeout 5 openssl s_client -connect 198.51.100.60:4433 -servername vpn.example.org $2" >"$TMP/client.log" 2>&1 || true
    capture_end
    save "$FILE"
    expect 'dtls.handshake.type == 1'
}
scenario dtls/openssl-cookie "dtls_openssl '-dtls1_2 -listen -mtu 400' '-dtls1_2 -mtu 400'" dtls/openssl-cookie.pcapng \
    'OpenSSL 10.20.0.21 to s_server 198.51.100.60:4433 in DTLS 1.2: HelloVerifyRequest, the hello again with its cookie, a certificate in fragments of 400 octets.'
scenario dtls/openssl-1.0 "dtls_openssl '-dtls1 -cipher DEFAULT@SECLEVEL=0' '-dtls1 -cipher DEFAULT@SECLEVEL=0'" dtls/openssl-1.0.pcapng \
    'OpenSSL 10.20.0.21 to s_server 198.51.100.60:4433 in DTLS 1.0.'

scenario dtls/gnutls-client-certificate dtls_gnutls dtls/gnutls-client-certificate.pcapng \
    'GnuTLS 10.20.0.21 to gnutls-serv 198.51.100.60:5556 in DTLS 1.2 with ALPN and a client certificate (CN=pc21.corp.example); a small MTU cuts both flights.'
dtls_gnutls() {
    dtls_lab
    deb gnutls-bin
    certificate pc21 pc21.corp.example
    start vpn gnutls-serv --udp --mtu 500 --port 5556 --x509certfile "$TMP/vpn.crt" --x509keyfile "$TMP/vpn.key" --require-client-cert --echo
    udp_listening vpn 5556
    capture
    at pc21 sh -c "sleep 1 | timeout 5 gnutls-cli --udp --mtu 500 --no-ca-verification --sni-hostname vpn.example.org --alpn example/1 \
        --x509certfile $TMP/pc21.crt --x509keyfile $TMP/pc21.key --port 5556 198.51.100.60" >"$TMP/client.log" 2>&1 || true
    capture_end
    save "$FILE"
    expect 'dtls.handshake.type == 11 && udp.dstport == 5556'
}

# ---------------------------------------------------------------- STUN and TURN

turn_lab() {
    host pc21 10.20.0.21
    host turn 198.51.100.78
    deb coturn
    start turn turnserver -n --no-cli --no-tls --no-dtls -L 198.51.100.78 -E 198.51.100.78 --lt-cred-mech -u alice:secret12 -r example.org \
        --pidfile "$TMP/turn.pid" --log-file stdout --simple-log --allow-loopback-peers -m 1 "$@"
    udp_listening turn 3478
}

scenario stun/binding stun_binding stun/binding.pcapng \
    "Vovida's stun client 10.20.0.21 asks coturn 198.51.100.78:3478 in the form of RFC 3489, without a magic cookie; then coturn's own client in that of RFC 5389."
stun_binding() {
    turn_lab
    deb stun-client
    capture
    quietly 6 pc21 stun 198.51.100.78 1
    quietly 5 pc21 turnutils_stunclient 198.51.100.78
    capture_end
    save "$FILE"
    expect 'stun.type == 0x0101'
}

stun_turn() {   # uclient options
    turn_lab
    capture
    quietly 8 pc21 turnutils_uclient -u alice -w secret12 -n 2 -m 1 -l 100 -y "$@" 198.51.100.78
    capture_end
    KEEP=120 save "$FILE"
    expect 'stun.type == 0x0103'
}
scenario stun/turn-udp 'stun_turn' stun/turn-udp.pcapng \
    "coturn's client 10.20.0.21 gets relays of coturn 198.51.100.78:3478 over UDP, after the refusal 401 that gives the nonce, and sends through channels."
scenario stun/turn-tcp 'stun_turn -t' stun/turn-tcp.pcapng \
    "coturn's client 10.20.0.21 gets relays of coturn 198.51.100.78:3478 over TCP, and sends through channels."

# ---------------------------------------------------------------- WebRTC

stun_webrtc() {   # ICE servers
    made_with "aiortc $(pip_version aiortc)"
    capture
    start peer "$TOOLS/py/bin/python" "$HERE/webrtc-peer.py" answer "$TMP/signal" "$@"
    quietly 20 pc21 "$TOOLS/py/bin/python" "$HERE/webrtc-peer.py" offer "$TMP/signal" "$@"
    capture_end
    save "$FILE"
}

scenario stun/webrtc stun_webrtc_direct stun/webrtc.pcapng \
    'aiortc 10.20.0.21 and 198.51.100.61 open a data channel: checks of ICE, then DTLS with certificates of both sides on the same five-tuple.'
stun_webrtc_direct() {
    host pc21 10.20.0.21
    host peer 198.51.100.61
    stun_webrtc
    expect 'stun'
    expect 'dtls.handshake.type == 1'
}

scenario stun/webrtc-through-relay stun_webrtc_relay stun/webrtc-through-relay.pcapng \
    'aiortc 10.20.0.21 and 198.51.100.61 cannot reach each other and open a data channel through coturn 198.51.100.78:3478: DTLS inside what the relay sends on.'
stun_webrtc_relay() {
    turn_lab
    host peer 198.51.100.61
    ip -n peer route add blackhole 10.20.0.0/16
    stun_webrtc turn:198.51.100.78:3478 alice secret12
    expect 'stun.type == 0x0103'
    expect 'dtls.handshake.type == 1'
}

# ---------------------------------------------------------------- RDP-UDP

rdp_udp() {   # CLIENT VERSION [SERVER-VERSION]
    host term01 10.20.0.31
    host pc21 10.20.0.21
    host stranger 203.0.113.9
    made_with "Python $(python3 -c 'import platform; print(platform.python_version())')" "rdp-udp.py (crafted by the documents)"
    deb openssl
    certificate term01 term01.corp.example
    start term01 python3 "$HERE/rdp-udp.py" server 10.20.0.31 3389 "${3:-$2}" "$TMP/term01.crt" "$TMP/term01.key"
    udp_listening term01 3389
    capture
    quietly 8 "$1" python3 "$HERE/rdp-udp.py" client 10.20.0.31 3389 "$2"
    capture_end
    save "$FILE"
    expect rdpudp
}
scenario rdp/udp 'rdp_udp pc21 2; expect tls.handshake.type==11' rdp/udp.pcapng \
    'Crafted by MS-RDPEUDP: 10.20.0.21 opens RDP-UDP version 2 to 10.20.0.31:3389 and is answered; TLS 1.2 inside.' \
    rdp.udp
scenario rdp/udp-version-3-from-internet 'rdp_udp stranger 3' rdp/udp-version-3-from-internet.pcapng \
    'Crafted by MS-RDPEUDP2: 203.0.113.9 on the internet opens RDP-UDP version 3 to 10.20.0.31:3389 and is answered; TLS 1.2 inside.' \
    rdp.udp rdp.exposed
scenario rdp/udp-not-answered 'rdp_udp pc21 2 0' rdp/udp-not-answered.pcapng \
    'Crafted by MS-RDPEUDP: 10.20.0.21 sends three SYNs of RDP-UDP to 10.20.0.31:3389, which never answers.' \
    rdp.udp
