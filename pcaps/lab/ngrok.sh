# ngrok: agents inside (library for Python and Node, old v2 program), their look-ups and CRL, and visits to endpoints.
# Agents only trust ngrok's own CA, so against a stand-in the session ends after the server's flight: the hello is real.

EDGE=198.51.100.44

ngrok_lab() {
    host pc21 10.20.0.21
    host edge "$EDGE"
    deb dnsmasq-base openssl
}

ngrok_python() {
    ngrok_lab
    made_with "ngrok (PyPI) $(pip_version ngrok)"
    answer connect.ngrok-agent.com "$EDGE"
    answer connect.eu.ngrok-agent.com "$EDGE"
    resolver
    tls_server edge 443 connect.ngrok-agent.com
    capture
    quietly 4 pc21 env NGROK_AUTHTOKEN=none "$TOOLS/py/bin/python" -c "$1"
    capture_end
    save "$FILE"
}

scenario ngrok/python-library ngrok_python_library ngrok/python-library.pcapng \
    'ngrok library for Python on 10.20.0.21 looks up connect.ngrok-agent.com (A, AAAA) and opens TLS to it, 198.51.100.44:443; it refuses the stand-in certificate and goes.' \
    tunnel.ngrok
ngrok_python_library() {
    ngrok_python 'import ngrok; ngrok.forward(8080)'
    expect 'dns.qry.name == "connect.ngrok-agent.com" && dns.a == 198.51.100.44'
    expect 'tls.handshake.extensions_server_name == "connect.ngrok-agent.com" && !tls.handshake.extensions_alpn_str'
}

scenario ngrok/python-regional ngrok_python_regional ngrok/python-regional.pcapng \
    'ngrok library for Python on 10.20.0.21 with the European address: look-up and TLS hello carry connect.eu.ngrok-agent.com.' \
    tunnel.ngrok
ngrok_python_regional() {
    ngrok_python '
import asyncio, ngrok
async def main():
    await ngrok.SessionBuilder().authtoken("none").server_addr("connect.eu.ngrok-agent.com:443").connect()
asyncio.run(main())'
    expect 'tls.handshake.extensions_server_name == "connect.eu.ngrok-agent.com"'
}

scenario ngrok/node-library ngrok_node_library ngrok/node-library.pcapng \
    'ngrok library for Node on 10.20.0.21 looks up connect.ngrok-agent.com and opens TLS to 198.51.100.44:443 (a newer rustls: extensions shuffled, post-quantum group offered).' \
    tunnel.ngrok
ngrok_node_library() {
    ngrok_lab
    made_with "@ngrok/ngrok (npm) $(npm_version @ngrok/ngrok)"
    answer connect.ngrok-agent.com "$EDGE"
    resolver
    tls_server edge 443 connect.ngrok-agent.com
    capture
    quietly 4 pc21 env NGROK_AUTHTOKEN=none NODE_PATH="$TOOLS/node/node_modules" node -e \
        'require("@ngrok/ngrok").forward({addr: 8080}).catch(e => process.exit(1))'
    capture_end
    save "$FILE"
    expect 'tls.handshake.extensions_server_name == "connect.ngrok-agent.com" && !tls.handshake.extensions_alpn_str'
}

scenario ngrok/v2-agent ngrok_v2_agent ngrok/v2-agent.pcapng \
    'Old ngrok agent (Go, v2) on 10.20.0.21: look-up of tunnel.us.ngrok.com and TLS to 198.51.100.44:443, refused certificate, then its other ways to find the server (dns.google.com, s3.amazonaws.com) and its update check at update.equinox.io.' \
    tunnel.ngrok
ngrok_v2_agent() {
    ngrok_lab
    made_with "ngrok agent (npm @expo/ngrok-bin-linux-x64) $(npm_version @expo/ngrok-bin-linux-x64)"
    host vendor 198.51.100.45
    answer tunnel.us.ngrok.com "$EDGE"
    answer update.equinox.io 198.51.100.45
    answer dns.google.com 198.51.100.45
    answer s3.amazonaws.com 198.51.100.45
    resolver
    tls_server edge 443 tunnel.us.ngrok.com
    tls_server vendor 443 vendor.example
    printf 'authtoken: none\n' >"$TMP/ngrok.yml"
    capture
    quietly 5 pc21 "$TOOLS/node/node_modules/@expo/ngrok-bin-linux-x64/ngrok" http -config "$TMP/ngrok.yml" -log stdout 8080
    capture_end
    save "$FILE"
    expect 'tls.handshake.extensions_server_name == "tunnel.us.ngrok.com"'
}

scenario ngrok/lookup-only ngrok_lookup_only ngrok/lookup-only.pcapng \
    'A resolver that blocks: 10.20.0.21 looks up connect.ngrok-agent.com (A, AAAA), gets NXDOMAIN, and no connection follows.' \
    tunnel.ngrok
ngrok_lookup_only() {
    host pc21 10.20.0.21
    deb dnsmasq-base dnsutils
    resolver
    capture
    quietly 3 pc21 dig connect.ngrok-agent.com A
    quietly 3 pc21 dig connect.ngrok-agent.com AAAA
    capture_end
    save "$FILE"
    expect 'dns.qry.name == "connect.ngrok-agent.com" && dns.flags.rcode == 3'
    refuse 'tcp'
}

scenario ngrok/python-blocked ngrok_python_blocked ngrok/python-blocked.pcapng \
    'ngrok library for Python on 10.20.0.21 behind a firewall: the name is answered, but 198.51.100.44 refuses port 443 (RST), so only the look-up and SYNs are seen.' \
    tunnel.ngrok
ngrok_python_blocked() {
    ngrok_lab
    made_with "ngrok (PyPI) $(pip_version ngrok)"
    answer connect.ngrok-agent.com "$EDGE"
    resolver
    capture
    quietly 3 pc21 env NGROK_AUTHTOKEN=none "$TOOLS/py/bin/python" -c 'import ngrok; ngrok.forward(8080)'
    capture_end
    save "$FILE"
    expect 'tcp.flags.reset == 1'
    refuse 'tls'
}

scenario ngrok/crl-fetch ngrok_crl_fetch ngrok/crl-fetch.pcapng \
    'curl on 10.20.0.21 fetches http://crl.ngrok-agent.com/ngrok.crl in clear from 198.51.100.44:80, as agents from 3.10 on do: the name stands in DNS and in the Host header.' \
    tunnel.ngrok
ngrok_crl_fetch() {
    ngrok_lab
    deb curl
    answer crl.ngrok-agent.com "$EDGE"
    resolver
    web_server edge 80
    head -c 700 /dev/zero >"$TMP/www/ngrok.crl"
    capture
    quietly 5 pc21 curl -s http://crl.ngrok-agent.com/ngrok.crl
    capture_end
    save "$FILE"
    expect 'http.host == "crl.ngrok-agent.com"'
    expect 'http.response.code == 200'
}

scenario ngrok/endpoint-https ngrok_endpoint_https ngrok/endpoint-https.pcapng \
    'curl on 10.20.0.21 visits the public endpoint https://abc-1-2-3.ngrok-free.app (198.51.100.44:443): a visit, no agent.' \
    tunnel.ngrok.endpoint
ngrok_endpoint_https() {
    ngrok_lab
    deb curl
    answer abc-1-2-3.ngrok-free.app "$EDGE"
    resolver
    tls_server edge 443 abc-1-2-3.ngrok-free.app -www
    capture
    quietly 5 pc21 curl -sk https://abc-1-2-3.ngrok-free.app/
    capture_end
    save "$FILE"
    expect 'tls.handshake.extensions_server_name == "abc-1-2-3.ngrok-free.app"'
}

scenario ngrok/endpoint-http-old-name ngrok_endpoint_http ngrok/endpoint-http-old-name.pcapng \
    'curl on 10.20.0.21 visits http://3f2a91c0.ngrok.io in clear (198.51.100.44:80): name in DNS and Host header.' \
    tunnel.ngrok.endpoint
ngrok_endpoint_http() {
    ngrok_lab
    deb curl
    answer 3f2a91c0.ngrok.io "$EDGE"
    resolver
    web_server edge 80
    capture
    quietly 5 pc21 curl -s http://3f2a91c0.ngrok.io/
    capture_end
    save "$FILE"
    expect 'http.host == "3f2a91c0.ngrok.io"'
}

scenario ngrok/endpoint-tcp ngrok_endpoint_tcp ngrok/endpoint-tcp.pcapng \
    'OpenSSH client on 10.20.0.21 goes to the TCP endpoint 0.tcp.ngrok.io:17263 (198.51.100.44), behind which somebody offers SSH: the look-up is the only name.' \
    ssh.odd_port ssh.session tunnel.ngrok.endpoint
ngrok_endpoint_tcp() {
    ngrok_lab
    deb openssh-client openssh-server
    answer 0.tcp.ngrok.io "$EDGE"
    resolver
    ssh_server edge 17263
    capture
    quietly 5 pc21 ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p 17263 alice@0.tcp.ngrok.io true
    capture_end
    save "$FILE"
    expect 'dns.qry.name == "0.tcp.ngrok.io"'
    expect 'tcp.dstport == 17263 && tcp.payload[0:4] == "SSH-"'
}

scenario ngrok/endpoint-chromium ngrok_endpoint_chromium ngrok/endpoint-chromium.pcapng \
    'Chromium on 10.20.0.21 visits https://abc-1-2-3.ngrok-free.app (198.51.100.44:443): its large post-quantum ClientHello fills two segments.' \
    tunnel.ngrok.endpoint
ngrok_endpoint_chromium() {
    ngrok_lab
    deb chromium
    answer abc-1-2-3.ngrok-free.app "$EDGE"
    resolver
    tls_server edge 443 abc-1-2-3.ngrok-free.app -www
    capture
    quietly 8 pc21 chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update \
        --no-first-run --disable-sync --disable-default-apps --ignore-certificate-errors --user-data-dir="$TMP/chromium" --dump-dom \
        https://abc-1-2-3.ngrok-free.app/
    capture_end
    save "$FILE"
    expect 'tls.handshake.extensions_server_name == "abc-1-2-3.ngrok-free.app"'
}

scenario ngrok/v2-agent-through-proxy ngrok_proxy ngrok/v2-agent-through-proxy.pcapng \
    'Old ngrok agent (Go, v2) on 10.20.0.21 goes through the HTTP proxy 10.20.0.8:3128 (tinyproxy): CONNECT tunnel.us.ngrok.com:443 in clear, TLS inside; the proxy then looks up the name and connects to 198.51.100.44:443.' \
    proxy.http_connect tunnel.ngrok
ngrok_proxy() {
    ngrok_lab
    host proxy 10.20.0.8
    deb tinyproxy-bin
    made_with "ngrok agent (npm @expo/ngrok-bin-linux-x64) $(npm_version @expo/ngrok-bin-linux-x64)"
    answer tunnel.us.ngrok.com "$EDGE"
    resolver
    tls_server edge 443 tunnel.us.ngrok.com
    printf 'Port 3128\nTimeout 20\nMaxClients 10\n' >"$TMP/tinyproxy.conf"
    start proxy tinyproxy -d -c "$TMP/tinyproxy.conf"
    listening proxy 3128
    printf 'authtoken: none\nhttp_proxy: "http://10.20.0.8:3128"\nupdate: false\n' >"$TMP/ngrok.yml"
    capture
    quietly 4 pc21 "$TOOLS/node/node_modules/@expo/ngrok-bin-linux-x64/ngrok" http -config "$TMP/ngrok.yml" -log stdout 8080
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "CONNECT tunnel.us.ngrok.com:443"'
}

scenario ngrok/python-session ngrok_session ngrok/python-session.pcapng \
    'ngrok library for Python on 10.20.0.21, told to trust the stand-in at connect.ngrok-agent.com (198.51.100.44:443): the TLS session stands and the first frames of the agent go out in it.' \
    tunnel.ngrok
ngrok_session() {
    ngrok_lab
    made_with "ngrok (PyPI) $(pip_version ngrok)"
    answer connect.ngrok-agent.com "$EDGE"
    resolver
    trusted_certificate connect.ngrok-agent.com
    tls_server edge 443 connect.ngrok-agent.com
    capture
    quietly 4 pc21 "$TOOLS/py/bin/python" -c '
import asyncio, ngrok, sys
async def main():
    await ngrok.SessionBuilder().authtoken("none").ca_cert(bytearray(open(sys.argv[1], "rb").read())).connect()
asyncio.run(main())' "$TMP/ca.crt"
    capture_end
    save "$FILE"
    expect 'tls.handshake.extensions_server_name == "connect.ngrok-agent.com"'
    expect 'ip.src == 10.20.0.21 && tcp.len > 300'
}

scenario ngrok/lookup-over-tcp ngrok_lookup_tcp ngrok/lookup-over-tcp.pcapng \
    '10.20.0.21 looks up connect.us.ngrok-agent.com over TCP (dig +tcp), of type A and HTTPS; no connection follows.' \
    tunnel.ngrok
ngrok_lookup_tcp() {
    ngrok_lab
    deb dnsutils
    answer connect.us.ngrok-agent.com "$EDGE"
    resolver
    capture
    quietly 3 pc21 dig +tcp connect.us.ngrok-agent.com A
    quietly 3 pc21 dig +tcp connect.us.ngrok-agent.com HTTPS
    capture_end
    save "$FILE"
    expect 'tcp && dns.qry.name == "connect.us.ngrok-agent.com"'
}

scenario ngrok/small-segments ngrok_small_segments ngrok/small-segments.pcapng \
    'No look-up (a hosts file) and segments of 88 octets: the ClientHello of the ngrok library for Python, 10.20.0.21 to 198.51.100.44:443, comes in three pieces, its name cut in two.' \
    tunnel.ngrok
ngrok_small_segments() {
    ngrok_lab
    made_with "ngrok (PyPI) $(pip_version ngrok)"
    printf '%s connect.ngrok-agent.com\n' "$EDGE" >>"$TMP/hosts"
    tls_server edge 443 connect.ngrok-agent.com
    in_ns edge ip route change default via 198.51.100.1 advmss 100   # 12 of them are the time stamp option
    capture
    quietly 4 pc21 env NGROK_AUTHTOKEN=none "$TOOLS/py/bin/python" -c 'import ngrok; ngrok.forward(8080)'
    capture_end
    save "$FILE"
    expect 'tls.handshake.extensions_server_name == "connect.ngrok-agent.com"'
    refuse 'tcp.len > 100 && ip.src == 10.20.0.21'
    refuse 'dns'
}

scenario ngrok/snaplen-128 ngrok_snaplen ngrok/snaplen-128.pcapng \
    'Every packet cut to 128 octets: the look-up of connect.ngrok-agent.com by 10.20.0.21 is whole, the ClientHello to 198.51.100.44:443 is not.' \
    tunnel.ngrok
ngrok_snaplen() {
    ngrok_lab
    made_with "ngrok (PyPI) $(pip_version ngrok)"
    answer connect.ngrok-agent.com "$EDGE"
    resolver
    tls_server edge 443 connect.ngrok-agent.com
    capture -s 128
    quietly 4 pc21 env NGROK_AUTHTOKEN=none "$TOOLS/py/bin/python" -c 'import ngrok; ngrok.forward(8080)'
    capture_end
    save "$FILE"
    expect 'dns.qry.name == "connect.ngrok-agent.com"'
    expect 'frame.cap_len < frame.len'
}
