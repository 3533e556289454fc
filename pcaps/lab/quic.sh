# QUIC: versions, negotiation, Retry, hellos over several packets, connection ids of every length. Ordinary use: no finding.

quic_lab() {
    host pc21 10.20.0.21
    host www 198.51.100.80
    deb dnsmasq-base
    answer www.example.org 198.51.100.80
    resolver
    certificate www.example.org www.example.org
}

# serving HOST PORT: wait for a UDP socket.
serving() {
    local n
    for ((n = 0; n < 100; n++)); do
        if [[ $(in_ns "$1" ss -Hlun "sport = :$2") ]]; then return 0; fi
        sleep 0.1
    done
    die "nothing listens on $1 UDP port $2: $(tail -n 5 "$LOG")"
}

# ---------------------------------------------------------------- ngtcp2

ngtcp2_server() {   # options of gtlsserver
    quic_lab
    deb ngtcp2-client ngtcp2-server
    mkdir -p "$TMP/www"
    printf 'It works.\n' >"$TMP/www/index.html"
    start www /usr/sbin/gtlsserver -q -d "$TMP/www" "$@" 198.51.100.80 443 "$TMP/www.example.org.key" "$TMP/www.example.org.crt"
    serving www 443
}

ngtcp2_client() {   # options of gtlsclient
    quietly 5 pc21 gtlsclient -q --timeout=2s --exit-on-all-streams-close "$@" www.example.org 443 https://www.example.org/index.html
}

quic_ngtcp2() {   # filter that must match, options of gtlsclient
    local filter=$1
    shift
    capture
    ngtcp2_client "$@"
    capture_end
    save "$FILE"
    expect "$filter"
    expect 'tls.handshake.extensions_server_name == "www.example.org"'
}

scenario quic/version-1 'ngtcp2_server; quic_ngtcp2 "quic.version == 1"' quic/version-1.pcapng \
    'ngtcp2 on 10.20.0.21 reads https://www.example.org/index.html (198.51.100.80:443) over QUIC version 1.'
scenario quic/draft-29 'ngtcp2_server; quic_ngtcp2 "quic.version == 0xff00001d" --version=0xff00001d' quic/draft-29.pcapng \
    'ngtcp2 on 10.20.0.21 reads https://www.example.org/index.html (198.51.100.80:443) over draft 29, whose salt is another one.'
scenario quic/compatible-negotiation 'ngtcp2_server --preferred-versions=v2draft,v1; quic_ngtcp2 "quic.version == 0x709a50c4" --version=v1 --other-versions=v2draft,v1 --preferred-versions=v2draft,v1' \
    quic/compatible-negotiation.pcapng \
    'ngtcp2 begins with version 1 and offers the draft of version 2; the server answers in it and the client follows, in the same connection: one hello.'
scenario quic/version-negotiation 'ngtcp2_server; quic_ngtcp2 "quic.version == 0" --version=0x1a2a3a4a --preferred-versions=v1' \
    quic/version-negotiation.pcapng \
    'ngtcp2 begins with a reserved version, is sent the list of versions, and begins again with version 1 from another port: a hello of each version.'
scenario quic/retry 'ngtcp2_server --validate-addr; quic_ngtcp2 "quic.long.packet_type == 3"' quic/retry.pcapng \
    'The server of ngtcp2 asks for the hello again with Retry; the keys then follow from the id in it. The hello is the same, and told once.'
scenario quic/long-and-empty-ids 'ngtcp2_server; quic_ngtcp2 "quic.scil == 0" --dcid=0102030405060708090a0b0c0d0e0f101112 --scid=' \
    quic/long-and-empty-ids.pcapng \
    'ngtcp2 with a destination id of 18 octets and an empty one of its own.'

scenario quic/zero-rtt quic_zero_rtt quic/zero-rtt.pcapng \
    'ngtcp2 reads a page twice; the second connection resumes the session and sends its request in 0-RTT packets, in the datagram of the hello.'
quic_zero_rtt() {
    ngtcp2_server
    capture
    ngtcp2_client --session-file="$TMP/session" --tp-file="$TMP/parameters"
    ngtcp2_client --session-file="$TMP/session" --tp-file="$TMP/parameters"
    capture_end
    save "$FILE"
    expect 'quic.long.packet_type == 1'
}

scenario quic/cut-by-snaplen quic_cut quic/cut-by-snaplen.pcapng \
    'ngtcp2 on 10.20.0.21 reads a page over QUIC version 1; the capture keeps 460 octets of each frame, so that the hello breaks off behind the server name.'
quic_cut() {
    ngtcp2_server
    capture -s 460
    ngtcp2_client
    capture_end
    save "$FILE"
    expect 'frame.len > frame.cap_len && udp.dstport == 443'
}

# ---------------------------------------------------------------- aioquic

aioquic_server() {   # further options of the server
    quic_lab
    made_with "aioquic (PyPI) $(pip_version aioquic)"
    start www "$TOOLS/py/bin/python" "$HERE/quic-pair.py" server 443 hq-interop "$TMP/www.example.org.crt" "$TMP/www.example.org.key" "$@"
    serving www 443
}

aioquic_client() {   # ALPN, further options of the client
    quietly 8 pc21 "$TOOLS/py/bin/python" "$HERE/quic-pair.py" client 198.51.100.80 443 "$1" www.example.org "${@:2}"
}

quic_aioquic() {   # filter that must match, ALPN, options of the client
    capture
    aioquic_client "${@:2}"
    capture_end
    save "$FILE"
    expect "$1"
}

scenario quic/version-2 'aioquic_server; quic_aioquic "quic.version == 0x6b3343cf" hq-interop --version 2' quic/version-2.pcapng \
    'aioquic on 10.20.0.21 opens a connection of version 2 (RFC 9369) to 198.51.100.80:443: other salt, labels and packet types.'
scenario quic/several-connections 'aioquic_server; quic_aioquic "quic.version == 1" hq-interop --local-port 50001 --times 3' quic/several-connections.pcapng \
    'aioquic opens three connections one after the other from the same port: three hellos on one five-tuple.'
scenario quic/long-hello "aioquic_server; quic_aioquic 'quic.version == 1' hq-interop\$(printf ',an-offered-protocol-%s' {101..180})" quic/long-hello.pcapng \
    'aioquic on 10.20.0.21 offers 81 protocols, so that its hello needs three Initial packets.'

scenario quic/one-sided "quic_one_sided src" quic/one-sided.pcapng \
    'aioquic offers 81 protocols in three Initial packets, and only what it sends is captured: the hello is told all the same.'
scenario quic/answers-only "quic_one_sided dst" quic/answers-only.pcapng \
    'A connection of aioquic of which only the answers are captured: there is no hello, and nothing to tell.'
quic_one_sided() {   # src or dst
    aioquic_server
    capture "$1" host 10.20.0.21
    aioquic_client "hq-interop$(printf ',an-offered-protocol-%s' {101..180})"
    capture_end
    save "$FILE"
    expect "ip.$1 == 10.20.0.21"
    refuse "ip.$1 != 10.20.0.21"
}

# ---------------------------------------------------------------- Chromium

scenario quic/chromium quic_chromium quic/chromium.pcapng \
    'Chromium on 10.20.0.21 is told to use QUIC for www.example.org (198.51.100.80:443): a post-quantum hello cut into shuffled CRYPTO frames over two packets, with PING and PADDING between.'
quic_chromium() {
    ngtcp2_server
    deb chromium
    capture
    quietly 8 pc21 chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update \
        --no-first-run --disable-sync --disable-default-apps --ignore-certificate-errors --user-data-dir="$TMP/chromium" \
        --enable-quic --origin-to-force-quic-on=www.example.org:443 --dump-dom https://www.example.org/index.html
    capture_end
    save "$FILE"
    expect 'quic.crypto.offset > 1000'
}
