# Other tunnel tools: localtunnel, bore, PageKite, dev tunnels with their own programs; cloudflared by its names only
# (no package of a registry carries its program), told so in `shows`.

tunnel_lab() {
    host web01 10.20.0.11
    host edge 198.51.100.60
    deb dnsmasq-base
}

# ---------------------------------------------------------------- localtunnel

scenario tunnels/localtunnel localtunnel tunnels/localtunnel.pcapng \
    'localtunnel on 10.20.0.11 registers at localtunnel.me (198.51.100.60:443, TLS) and opens plain TCP to port 34117 there; a GET comes from the server side of those connections.' \
    tunnel.localtunnel
localtunnel() {
    tunnel_lab
    made_with "localtunnel (npm) $(npm_version localtunnel)"
    answer localtunnel.me 198.51.100.60
    resolver
    web_server web01 8000
    certificate localtunnel.me localtunnel.me
    start edge python3 "$HERE/localtunnel-server.py" "$TMP/localtunnel.me.crt" "$TMP/localtunnel.me.key" 34117
    listening edge 443
    capture
    start web01 env NODE_EXTRA_CA_CERTS="$TMP/localtunnel.me.crt" node "$TOOLS/node/node_modules/localtunnel/bin/lt.js" --port 8000
    sleep 3
    stop
    capture_end
    save "$FILE"
    expect 'tls.handshake.extensions_server_name == "localtunnel.me"'
    expect 'ip.src == 198.51.100.60 && tcp.srcport == 34117 && tcp.payload contains "GET / HTTP/1.1"'
}

scenario tunnels/localtunnel-endpoint 'endpoint smart-cat-12.loca.lt' tunnels/localtunnel-endpoint.pcapng \
    'curl on 10.20.0.11 visits https://smart-cat-12.loca.lt (198.51.100.60:443): a visit, no agent.' \
    tunnel.localtunnel.endpoint
endpoint() {   # NAME
    tunnel_lab
    deb curl openssl
    answer "$1" 198.51.100.60
    resolver
    tls_server edge 443 "$1" -www
    capture
    quietly 5 web01 curl -sk "https://$1/"
    capture_end
    save "$FILE"
    expect "tls.handshake.extensions_server_name == \"$1\""
}

# ---------------------------------------------------------------- bore

bore_lab() {
    tunnel_lab
    host visitor 203.0.113.70
    made_with 'bore-cli (crates.io) '"$("$TOOLS/cargo/bin/bore" --version | cut -d' ' -f2)"
    answer bore.pub 198.51.100.60
    resolver
    start edge "$TOOLS/cargo/bin/bore" server --min-port 40000 "$@"
    listening edge 7835
}

bore_web() {   # what to call bore.pub, further options of the client
    local to=$1
    shift
    web_server web01 8000
    capture
    start web01 "$TOOLS/cargo/bin/bore" local 8000 --to "$to" --port 40123 "$@"
    listening edge 40123
    deb curl
    quietly 5 visitor curl -s http://198.51.100.60:40123/
    sleep 1.2
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "Heartbeat"'
    expect 'ip.src == 10.20.0.11 && tcp.payload contains "Accept"'
}

scenario tunnels/bore 'bore_lab; bore_web bore.pub' tunnels/bore.pcapng \
    'bore on 10.20.0.11 offers its port 8000 through bore.pub (198.51.100.60:7835): Hello, heartbeats, and for one visitor a second connection that begins with Accept and then is HTTP from the TCP client side.' \
    tunnel.bore
scenario tunnels/bore-secret 'bore_lab --secret opensesame; bore_web bore.pub --secret opensesame' tunnels/bore-secret.pcapng \
    'bore with a secret: the server 198.51.100.60:7835 speaks first (Challenge), 10.20.0.11 authenticates, then as without.' \
    tunnel.bore
scenario tunnels/bore-own-server 'bore_lab; bore_web 198.51.100.60' tunnels/bore-own-server.pcapng \
    'bore on 10.20.0.11 to a server of its own by address, 198.51.100.60:7835: no name anywhere, only the wire.' \
    tunnel.bore

scenario tunnels/bore-carries-vnc bore_vnc tunnels/bore-carries-vnc.pcapng \
    'Hard: bore on 10.20.0.11 offers its Xvnc through bore.pub; TigerVNC viewer 203.0.113.70 comes through it with the password. Inside, RFB follows the Accept message on a connection that 10.20.0.11 opened to 198.51.100.60:7835.' \
    tunnel.bore vnc.session vnc.reverse vnc.outbound vnc.odd_port
bore_vnc() {
    bore_lab
    viewer_display
    printf 'secret12\n' | tigervncpasswd -f >"$TMP/right"
    tigervnc web01 5901 -SecurityTypes VncAuth
    capture
    start web01 "$TOOLS/cargo/bin/bore" local 5901 --to bore.pub --port 40123
    listening edge 40123
    tiger visitor 198.51.100.60 40123 2 -passwd "$TMP/right"
    capture_end
    save "$FILE"
    expect 'ip.src == 10.20.0.11 && tcp.payload contains "RFB 003.008"'
}

# ---------------------------------------------------------------- PageKite

pagekite_lab() {
    tunnel_lab
    host visitor 203.0.113.70
    deb pagekite
    web_server web01 8000
    start edge pagekite --clean --isfrontend --ports="$1" --protos=http,https,raw --domain=http:web01.pagekite.me:opensesame
    listening edge "${1%%,*}"
}

scenario tunnels/pagekite pagekite_default tunnels/pagekite.pcapng \
    'pagekite on 10.20.0.11 flies the kite web01.pagekite.me through frontends.b5p.us (198.51.100.60:443, /ping and CONNECT PageKite:1 in clear); a visitor asks for a page. Beside the front end, pagekite looks up its own kite, web01.pagekite.me, which is an endpoint by name.' \
    tunnel.pagekite tunnel.pagekite.endpoint
pagekite_default() {
    answer frontends.b5p.us 198.51.100.60
    pagekite_lab 443
    resolver
    capture
    start web01 pagekite --clean --nocrashreport --frontends=1:frontends.b5p.us:443 --service_on=http:web01.pagekite.me:localhost:8000:opensesame
    sleep 5
    deb curl
    quietly 3 visitor curl -s -H 'Host: web01.pagekite.me' http://198.51.100.60:443/
    sleep 0.5
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "CONNECT PageKite:1"'
}

scenario tunnels/pagekite-own-frontend pagekite_own tunnels/pagekite-own-frontend.pcapng \
    'pagekite on 10.20.0.11 through a front end of its own, relay.example.net (198.51.100.60:8080): no vendor name is looked up, only the wire tells.' \
    tunnel.pagekite
pagekite_own() {
    answer relay.example.net 198.51.100.60
    pagekite_lab 8080
    resolver
    capture
    start web01 pagekite --clean --nocrashreport --frontend=relay.example.net:8080 --service_on=http:web01.pagekite.me:localhost:8000:opensesame
    sleep 5
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "CONNECT PageKite:1"'
}

scenario tunnels/pagekite-endpoint pagekite_endpoint tunnels/pagekite-endpoint.pcapng \
    'curl on 10.20.0.11 visits http://shop.pagekite.me in clear (198.51.100.60:80): a visit, no agent.' \
    tunnel.pagekite.endpoint
pagekite_endpoint() {
    tunnel_lab
    deb curl
    answer shop.pagekite.me 198.51.100.60
    resolver
    web_server edge 80
    capture
    quietly 5 web01 curl -s http://shop.pagekite.me/
    capture_end
    save "$FILE"
    expect 'http.host == "shop.pagekite.me"'
}

# ---------------------------------------------------------------- Microsoft dev tunnels

scenario tunnels/devtunnels-management devtunnels tunnels/devtunnels-management.pcapng \
    "Microsoft's dev tunnels library on 10.20.0.11 asks global.rel.tunnels.api.visualstudio.com (198.51.100.60:443, a stand-in) for its tunnels." \
    tunnel.devtunnels
devtunnels() {
    tunnel_lab
    made_with "@microsoft/dev-tunnels-management (npm) $(npm_version @microsoft/dev-tunnels-management)"
    local name=global.rel.tunnels.api.visualstudio.com
    answer "$name" 198.51.100.60
    resolver
    tls_server edge 443 "$name" -www
    capture
    quietly 5 web01 env NODE_EXTRA_CA_CERTS="$TMP/$name.crt" NODE_PATH="$TOOLS/node/node_modules" node -e '
        const m = require("@microsoft/dev-tunnels-management");
        new m.TunnelManagementHttpClient("lab/1", m.ManagementApiVersions.Version20230927preview, async () => "Bearer none")
            .listTunnels().then(() => process.exit(0), () => process.exit(1));'
    capture_end
    save "$FILE"
    expect "tls.handshake.extensions_server_name == \"$name\""
}

scenario tunnels/devtunnels-relay-names devtunnels_names tunnels/devtunnels-relay-names.pcapng \
    'On 10.20.0.11, curl (not the real host program) looks up and opens TLS to euw-data.rel.tunnels.api.visualstudio.com (198.51.100.60:443), the relay that a host uses.' \
    tunnel.devtunnels
devtunnels_names() { endpoint euw-data.rel.tunnels.api.visualstudio.com; }

scenario tunnels/devtunnels-endpoint 'endpoint 7x9k2mq1-8080.euw.devtunnels.ms' tunnels/devtunnels-endpoint.pcapng \
    'curl on 10.20.0.11 visits https://7x9k2mq1-8080.euw.devtunnels.ms (198.51.100.60:443): a visit, no agent.' \
    tunnel.devtunnels.endpoint

# ---------------------------------------------------------------- cloudflared, by its names

scenario tunnels/cloudflared-lookups cloudflared_lookups tunnels/cloudflared-lookups.pcapng \
    'dig on 10.20.0.11 asks what cloudflared asks at its start (TXT cfd-features.argotunnel.com and protocol-v2.argotunnel.com, SRV _v2-origintunneld._tcp.argotunnel.com, A and AAAA of region1 and region2.v2.argotunnel.com); no connection follows.' \
    tunnel.cloudflared
cloudflared_lookups() {
    tunnel_lab
    deb dnsutils
    record 'srv-host=_v2-origintunneld._tcp.argotunnel.com,region1.v2.argotunnel.com,7844,1,1'
    record 'srv-host=_v2-origintunneld._tcp.argotunnel.com,region2.v2.argotunnel.com,7844,2,1'
    record 'txt-record=cfd-features.argotunnel.com,{"dv3_2":0}'
    record 'txt-record=protocol-v2.argotunnel.com,{"http2":0\,"quic":100}'
    answer region1.v2.argotunnel.com 198.51.100.61 198.51.100.62
    answer region2.v2.argotunnel.com 198.51.100.63 198.51.100.64
    resolver
    capture
    quietly 3 web01 dig cfd-features.argotunnel.com TXT
    quietly 3 web01 dig protocol-v2.argotunnel.com TXT
    quietly 3 web01 dig _v2-origintunneld._tcp.argotunnel.com SRV
    local region type
    for region in 1 2; do for type in A AAAA; do quietly 3 web01 dig "region$region.v2.argotunnel.com" "$type"; done; done
    capture_end
    save "$FILE"
    expect 'dns.srv.port == 7844'
    refuse 'tcp'
}

scenario tunnels/cloudflared-http2-name cloudflared_h2 tunnels/cloudflared-http2-name.pcapng \
    'openssl s_client (not cloudflared) on 10.20.0.11 opens TLS to 198.51.100.60:7844 with the name that cloudflared sends over TCP, h2.cftunnel.com; no look-up.' \
    tunnel.cloudflared
cloudflared_h2() {
    tunnel_lab
    deb openssl
    tls_server edge 7844 h2.cftunnel.com
    capture
    quietly 2 web01 openssl s_client -connect 198.51.100.60:7844 -servername h2.cftunnel.com
    capture_end
    save "$FILE"
    expect 'tls.handshake.extensions_server_name == "h2.cftunnel.com"' -d tcp.port==7844,tls
}

scenario tunnels/cloudflared-quic-name cloudflared_quic tunnels/cloudflared-quic-name.pcapng \
    'aioquic (not cloudflared) on 10.20.0.11 opens QUIC to 198.51.100.60:7844 with the name and ALPN that cloudflared sends, quic.cftunnel.com and argotunnel; no look-up.' \
    tunnel.cloudflared
cloudflared_quic() {
    tunnel_lab
    made_with "aioquic (PyPI) $(pip_version aioquic)"
    certificate quic.cftunnel.com quic.cftunnel.com
    start edge "$TOOLS/py/bin/python" "$HERE/quic-pair.py" server 7844 argotunnel "$TMP/quic.cftunnel.com.crt" "$TMP/quic.cftunnel.com.key"
    local n
    for ((n = 0; n < 50; n++)); do grep -q ready "$LOG" && break; sleep 0.1; done
    capture
    quietly 5 web01 "$TOOLS/py/bin/python" "$HERE/quic-pair.py" client 198.51.100.60 7844 argotunnel quic.cftunnel.com
    capture_end
    save "$FILE"
    expect 'tls.handshake.extensions_server_name == "quic.cftunnel.com" && tls.handshake.extensions_alpn_str == "argotunnel"'
}

scenario tunnels/cloudflared-quick-tunnel-name 'endpoint api.trycloudflare.com' tunnels/cloudflared-quick-tunnel-name.pcapng \
    'curl (not cloudflared) on 10.20.0.11 opens https://api.trycloudflare.com (198.51.100.60:443), where a quick tunnel is asked for.' \
    tunnel.cloudflared
scenario tunnels/cloudflared-endpoint 'endpoint some-four-random-words.trycloudflare.com' tunnels/cloudflared-endpoint.pcapng \
    'curl on 10.20.0.11 visits https://some-four-random-words.trycloudflare.com (198.51.100.60:443): a visit, no agent.' \
    tunnel.cloudflared.endpoint
