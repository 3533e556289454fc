# WebSocket and what is inside; HTTP/2 and DNS over HTTP in clear.

bridge() {   # HOST ARGUMENTS...: one end of websocket-bridge.py
    local name=$1 n
    shift
    start "$name" "$TOOLS/py/bin/python" "$HERE/websocket-bridge.py" "$@"
    if [[ $1 == server ]]; then
        listening "$name" "$3"
    else
        for ((n = 0; n < 100; n++)); do grep -q ready "$LOG" && break; sleep 0.1; done
    fi
}

# ---------------------------------------------------------------- desktops

websocket_vnc() {   # VIEWER SUBPROTOCOL OPTION...
    local viewer=$1 subprotocol=$2
    shift 2
    vnc_lab
    made_with "websockets (PyPI) $(pip_version websockets)"
    tigervnc web01 5901 -localhost -SecurityTypes VncAuth
    bridge web01 server 10.20.0.11 8080 127.0.0.1 5901 "$subprotocol" "$@"
    bridge "$viewer" client ws://10.20.0.11:8080/vnc 5902 "$subprotocol" "$@"
    capture
    tiger "$viewer" 127.0.0.1 5902 2.5 $(right)
    capture_end
    save "$FILE"
    expect 'http.response.code == 101'
}
scenario websocket/vnc-deflate websocket_vnc_deflate websocket/vnc-deflate.pcapng \
    'TigerVNC viewer on 10.20.0.21 to Xvnc at 10.20.0.11 through a bridge of the lab (port 8080): RFB in WebSocket messages that are compressed on both sides (permessage-deflate).' \
    vnc.session
websocket_vnc_deflate() {
    websocket_vnc pc21 binary
    expect 'http.sec_websocket_extensions contains "permessage-deflate" && http.response'
    refuse 'tcp.payload contains "RFB 003.008" && ip.src == 10.20.0.11'
}
scenario websocket/vnc-base64-from-internet websocket_vnc_base64 websocket/vnc-base64-from-internet.pcapng \
    'TigerVNC viewer on 203.0.113.9 on the internet to Xvnc at 10.20.0.11 through a bridge of the lab (port 8080) that writes RFB in base64, as websockify did for browsers without binary frames.' \
    vnc.session vnc.exposed
websocket_vnc_base64() {
    websocket_vnc stranger base64 --base64 --nodeflate
    refuse 'tcp.payload contains "RFB 003.008"'
}

# ---------------------------------------------------------------- tunnels

scenario websocket/chisel websocket_chisel websocket/chisel.pcapng \
    'A bridge of the lab on 10.20.0.11 speaks the handshake of a chisel client to 198.51.100.70:8080, with SSH under the names of chisel inside; the program itself was not to be had.' \
    tunnel.chisel ssh.session
websocket_chisel() {
    host web01 10.20.0.11
    host vps 198.51.100.70
    made_with "websockets (PyPI) $(pip_version websockets)" "paramiko (PyPI) $(pip_version paramiko)"
    start vps "$TOOLS/py/bin/python" "$HERE/chisel-ssh.py" server 2222
    listening vps 2222
    bridge vps server 198.51.100.70 8080 127.0.0.1 2222 chisel-v3 --nodeflate
    bridge web01 client ws://198.51.100.70:8080/ 2223 chisel-v3 --nodeflate
    capture
    quietly 10 web01 "$TOOLS/py/bin/python" "$HERE/chisel-ssh.py" client 2223
    capture_end
    save "$FILE"
    expect 'http.response.code == 101'
}

scenario websocket/wstunnel websocket_wstunnel websocket/wstunnel.pcapng \
    'A bridge of the lab on 10.20.0.11 speaks the handshake of a wstunnel client (version 10) to 198.51.100.70:80, with OpenSSH inside; the program itself was not to be had.' \
    tunnel.wstunnel ssh.session
websocket_wstunnel() {
    local token
    host web01 10.20.0.11
    host vps 198.51.100.70
    made_with "websockets (PyPI) $(pip_version websockets)"
    deb openssh-server openssh-client
    ssh_server vps 22
    token=$(printf '%s' '{"typ":"JWT","alg":"HS256"}' | base64 -w0 | tr -d =).$(printf '%s' '{"id":"01936e1c-0000-7000-8000-000000000001","p":{"Tcp":{"proxy_protocol":false}},"r":"127.0.0.1","rp":22}' | base64 -w0 | tr '/+' '_-' | tr -d =).c2lnbmF0dXJl
    bridge vps server 198.51.100.70 80 127.0.0.1 22 v1 --nodeflate
    bridge web01 client ws://198.51.100.70/v1/events 2222 "v1,authorization.bearer.$token" --nodeflate
    capture
    quietly 6 web01 ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p 2222 root@127.0.0.1 true
    capture_end
    save "$FILE"
    expect 'http.response.code == 101'
    expect 'tcp.payload contains "SSH-2.0-OpenSSH"'
}

# ---------------------------------------------------------------- without harm

scenario websocket/chat websocket_chat websocket/chat.pcapng \
    'A client of PyPI websockets on 10.20.0.21 sends some text through a WebSocket of 198.51.100.80, compressed; nothing is inside.'
websocket_chat() {
    host pc21 10.20.0.21
    host site 198.51.100.80
    made_with "websockets (PyPI) $(pip_version websockets)"
    deb netcat-openbsd
    start site nc -lk 127.0.0.1 7
    listening site 7
    bridge site server 198.51.100.80 80 127.0.0.1 7 chat
    bridge pc21 client ws://198.51.100.80/chat 7000 chat
    capture
    quietly 3 pc21 sh -c '{ echo "{\"type\":\"hello\",\"name\":\"ada\"}"; sleep 1; echo "{\"type\":\"message\",\"text\":\"how are you\"}"; sleep 1; } | nc -q 1 127.0.0.1 7000'
    capture_end
    save "$FILE"
    expect 'http.response.code == 101'
}

# ---------------------------------------------------------------- HTTP/2 and DNS over HTTP

http2_lab() {
    host pc21 10.20.0.21
    host site 198.51.100.80
    mkdir -p "$TMP/www/images"
    printf '<!doctype html><title>Welcome</title><link rel=stylesheet href=/style.css><img src=/images/a.png>\n' >"$TMP/www/index.html"
    printf 'p { margin: 0 }\n' >"$TMP/www/style.css"
    head -c 3000 /dev/urandom >"$TMP/www/images/a.png"
}
scenario http2/prior-knowledge http2_prior http2/prior-knowledge.pcapng \
    'nghttp on 10.20.0.21 fetches a page with what belongs to it, padded, and curl posts to it, over HTTP/2 in clear at 198.51.100.80:8080 (nghttpd).'
http2_prior() {
    http2_lab
    deb nghttp2-client nghttp2-server curl
    start site nghttpd --no-tls -d "$TMP/www" -b 16 8080
    listening site 8080
    capture
    quietly 5 pc21 nghttp -n -a -b 8 http://198.51.100.80:8080/index.html
    quietly 5 pc21 curl -s --http2-prior-knowledge -d 'a=b' http://198.51.100.80:8080/style.css
    capture_end
    save "$FILE"
    expect 'http2.headers.method == "GET"' -d tcp.port==8080,http2
}
scenario http2/upgrade http2_upgrade http2/upgrade.pcapng \
    'curl on 10.20.0.21 asks for h2c with a request of HTTP/1 at 198.51.100.80:80 (nghttpx before nghttpd) and goes on in HTTP/2.'
http2_upgrade() {
    http2_lab
    deb nghttp2-server nghttp2-proxy curl
    start site nghttpd --no-tls --address=127.0.0.1 -d "$TMP/www" 8080
    listening site 8080
    start site nghttpx --conf=/dev/null --workers=1 -f'198.51.100.80,80;no-tls' -b'127.0.0.1,8080;/;proto=h2'
    listening site 80
    capture
    quietly 5 pc21 curl -s --http2 http://198.51.100.80/index.html http://198.51.100.80/style.css
    capture_end
    save "$FILE"
    expect 'http.response.code == 101'
}
scenario http2/doh http2_doh http2/doh.pcapng \
    'dig on 10.20.0.21 asks dnsdist at 198.51.100.53:80 over HTTP/2 in clear, by POST and by GET; curl asks it by POST over HTTP/1.' \
    dns.doh
http2_doh() {
    host pc21 10.20.0.21
    host doh 198.51.100.53
    answer www.example.org 198.51.100.80
    resolver
    deb dnsdist curl dnsutils
    printf 'newServer("10.20.0.53")\naddDOHLocal("198.51.100.53:80", nil, nil, "/dns-query")\nsetACL("0.0.0.0/0")\n' >"$TMP/dnsdist.conf"
    start doh dnsdist --supervised --disable-syslog -C "$TMP/dnsdist.conf"
    listening doh 80
    printf '\0\0\1\0\0\1\0\0\0\0\0\0\3www\7example\3org\0\0\1\0\1' >"$TMP/query"
    capture
    quietly 5 pc21 dig +http-plain +tries=1 @198.51.100.53 www.example.org A
    quietly 5 pc21 dig +http-plain-get +tries=1 @198.51.100.53 www.example.org AAAA
    quietly 5 pc21 curl -s --http1.1 -H 'Content-Type: application/dns-message' --data-binary "@$TMP/query" -o /dev/null http://198.51.100.53/dns-query
    capture_end
    save "$FILE"
    expect 'http2.headers.path contains "dns="'
    expect 'http.content_type == "application/dns-message"'
}
