# Proxies: SOCKS and HTTP, with what they carry. The capture sees both legs where both are inside.

proxy_lab() {
    host pc21 10.20.0.21
    host proxy 10.20.0.8
    host www 198.51.100.80
    deb dnsmasq-base
    answer www.example.org 198.51.100.80
}

# dante METHODS: Dante at 10.20.0.8:1080; everything is allowed but connections to 198.51.100.99.
dante() {
    deb dante-server
    cat >"$TMP/danted.conf" <<CONF
logoutput: stderr
internal: 0.0.0.0 port = 1080
external: eth0
clientmethod: none
socksmethod: $1
user.privileged: root
user.unprivileged: nobody
client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks block { from: 0.0.0.0/0 to: 198.51.100.99/32 }
socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
CONF
    start proxy danted -f "$TMP/danted.conf"
    listening proxy 1080
}

# ---------------------------------------------------------------- SOCKS

scenario proxy/socks5-password socks5_password proxy/socks5-password.pcapng \
    'curl 10.20.0.21 reads https://www.example.org/ through Dante 10.20.0.8:1080: SOCKS 5 with name and password, TLS inside.' \
    proxy.socks
socks5_password() {
    proxy_lab
    deb curl openssl
    account alice secret12
    resolver
    tls_server www 443 www.example.org -www
    dante username
    capture
    quietly 5 pc21 curl -sk --proxy socks5h://alice:secret12@10.20.0.8:1080 https://www.example.org/
    capture_end
    save "$FILE"
    expect 'tcp.dstport == 1080 && tcp.payload contains "www.example.org"'
    expect 'tcp.srcport == 1080 && tcp.payload == 01:00'
}

scenario proxy/socks5-password-refused socks5_refused proxy/socks5-password-refused.pcapng \
    'curl 10.20.0.21 gives Dante 10.20.0.8:1080 a wrong password: refused.'
socks5_refused() {
    proxy_lab
    deb curl
    account alice secret12
    resolver
    dante username
    capture
    quietly 5 pc21 curl -sk --proxy socks5h://alice:guessed1@10.20.0.8:1080 https://www.example.org/
    capture_end
    save "$FILE"
    refuse 'tcp.dstport == 1080 && tcp.payload contains "www.example.org"'
}

scenario proxy/socks4 socks4 proxy/socks4.pcapng \
    'curl 10.20.0.21 reads http://198.51.100.80/ through Dante 10.20.0.8:1080 by SOCKS 4; http://198.51.100.99/ is refused.' \
    proxy.socks
socks4() {
    proxy_lab
    deb curl
    web_server www 80
    dante none
    capture
    quietly 5 pc21 curl -s --socks4 10.20.0.8:1080 http://198.51.100.80/
    quietly 5 pc21 curl -s --socks4 10.20.0.8:1080 http://198.51.100.99/
    capture_end
    save "$FILE"
    expect 'tcp.srcport == 1080 && tcp.payload contains 00:5a'
    expect 'tcp.srcport == 1080 && tcp.payload contains 00:5b'
}

scenario proxy/ssh-dynamic-forwarding dynamic_forwarding proxy/ssh-dynamic-forwarding.pcapng \
    'OpenSSH client 10.20.0.8 offers SOCKS on port 1080 (ssh -D) through a session with 198.51.100.60:22; curl 10.20.0.21 reads http://www.example.org/ through it (SOCKS 5 with a name, HTTP inside), then https://www.example.org/ (SOCKS 4A with a name, TLS inside).' \
    proxy.socks ssh.session
dynamic_forwarding() {
    proxy_lab
    deb curl openssl openssh-client openssh-server
    host vps 198.51.100.60
    account alice secret12
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$TMP/key"
    cp "$TMP/key.pub" "$TMP/authorized_keys"
    chmod 644 "$TMP/authorized_keys"
    resolver
    web_server www 80
    tls_server www 443 www.example.org -www
    ssh_server vps 22
    capture
    start proxy ssh -F none -i "$TMP/key" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -N -D 10.20.0.8:1080 alice@198.51.100.60
    listening proxy 1080
    quietly 5 pc21 curl -s --socks5-hostname 10.20.0.8:1080 http://www.example.org/
    quietly 5 pc21 curl -sk --socks4a 10.20.0.8:1080 https://www.example.org/
    stop
    capture_end
    save "$FILE"
    expect 'tcp.dstport == 1080 && tcp.payload contains "GET / HTTP/1.1"'
    expect 'tcp.dstport == 1080 && tcp.payload contains 04:01:01:bb:00:00:00'
}

scenario proxy/vnc-through-socks5 socks_vnc proxy/vnc-through-socks5.pcapng \
    'TigerVNC viewer 10.20.0.21 under proxychains reaches Xvnc 10.20.0.11:5901 through microsocks 10.20.0.8:1080. RFB is seen twice: inside SOCKS from the viewer to the proxy, and from the proxy to the server.' \
    proxy.socks vnc.odd_port vnc.session
socks_vnc() {
    proxy_lab
    deb microsocks proxychains4 tigervnc-standalone-server tigervnc-viewer x11-apps
    host web01 10.20.0.11
    viewer_display
    resolver
    printf 'secret12\n' | tigervncpasswd -f >"$TMP/right"
    tigervnc web01 5901 -SecurityTypes VncAuth
    start proxy microsocks -i 10.20.0.8 -p 1080
    listening proxy 1080
    printf 'strict_chain\nquiet_mode\n[ProxyList]\nsocks5 10.20.0.8 1080\n' >"$TMP/proxychains.conf"
    capture
    start pc21 proxychains4 -q -f "$TMP/proxychains.conf" xtigervncviewer -ReconnectOnError=0 -AlertOnFatalError=0 -passwd "$TMP/right" 10.20.0.11::5901
    sleep 3
    stop
    capture_end
    save "$FILE"
    expect 'tcp.dstport == 1080 && tcp.payload contains "RFB 003.008"'
}

scenario proxy/socks-reverse socks_reverse proxy/socks-reverse.pcapng \
    'An implant by parts: microsocks listens on 10.20.0.11 for itself, socat there opens a connection to 203.0.113.9:443 and joins the two; curl at 203.0.113.9 reads http://10.20.0.40/ through it. The SOCKS client is the responder.' \
    proxy.socks proxy.socks.reverse
socks_reverse() {
    proxy_lab
    deb curl microsocks socat
    host web01 10.20.0.11
    host files 10.20.0.40
    host stranger 203.0.113.9
    web_server files 80
    start web01 microsocks -i 127.0.0.1 -p 1080
    listening web01 1080
    start stranger socat TCP-LISTEN:443,reuseaddr TCP-LISTEN:1080,bind=127.0.0.1,reuseaddr
    listening stranger 443
    capture
    start web01 socat TCP:203.0.113.9:443 TCP:127.0.0.1:1080
    listening stranger 1080
    quietly 5 stranger curl -s --socks5-hostname 127.0.0.1:1080 http://10.20.0.40/
    capture_end
    save "$FILE"
    expect 'tcp.srcport == 443 && tcp.payload contains 05:01:00'
}

# ---------------------------------------------------------------- HTTP

squid_at_proxy() {
    deb squid
    cat >"$TMP/squid.conf" <<CONF
http_port 3128
http_access allow all
cache deny all
access_log none
cache_log $TMP/squid.log
pid_filename $TMP/squid.pid
coredump_dir $TMP
pinger_enable off
netdb_filename none
shutdown_lifetime 1 seconds
CONF
    chmod 777 "$TMP"
    start proxy squid -N -f "$TMP/squid.conf"
    listening proxy 3128
}

scenario proxy/squid-web squid_web proxy/squid-web.pcapng \
    'curl 10.20.0.21 uses Squid 10.20.0.8:3128 as a company does: http://www.example.org/ in absolute form, https://www.example.org/ by CONNECT to port 443 with TLS inside. Both legs are seen.' \
    proxy.http proxy.http_connect
squid_web() {
    proxy_lab
    deb curl openssl
    resolver
    tls_server www 443 www.example.org -www
    web_server www 80
    squid_at_proxy
    capture
    quietly 5 pc21 curl -s -x http://10.20.0.8:3128 http://www.example.org/
    quietly 5 pc21 curl -sk -x http://10.20.0.8:3128 https://www.example.org/
    capture_end
    save "$FILE"
    expect 'tcp.dstport == 3128 && tcp.payload contains "GET http://www.example.org/"'
    expect 'tcp.dstport == 3128 && tcp.payload contains "CONNECT www.example.org:443"'
}

scenario proxy/ssh-through-connect connect_ssh proxy/ssh-through-connect.pcapng \
    'OpenSSH client 10.20.0.21 reaches OpenSSH 198.51.100.60:22 through tinyproxy 10.20.0.8:3128 (CONNECT by corkscrew): SSH is seen inside CONNECT and again from the proxy to the server.' \
    proxy.http_connect ssh.odd_port ssh.session
connect_ssh() {
    proxy_lab
    deb corkscrew openssh-client openssh-server tinyproxy-bin
    host vps 198.51.100.60
    account alice secret12
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$TMP/key"
    cp "$TMP/key.pub" "$TMP/authorized_keys"
    chmod 644 "$TMP/authorized_keys"
    ssh_server vps 22
    printf 'Port 3128\nTimeout 20\nMaxClients 10\n' >"$TMP/tinyproxy.conf"
    start proxy tinyproxy -d -c "$TMP/tinyproxy.conf"
    listening proxy 3128
    capture
    quietly 8 pc21 ssh -F none -i "$TMP/key" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o ProxyCommand='corkscrew 10.20.0.8 3128 %h %p' alice@198.51.100.60 'ls /usr; sleep 1'
    capture_end
    save "$FILE"
    expect 'tcp.dstport == 3128 && tcp.payload contains "CONNECT 198.51.100.60:22"'
    expect 'tcp.dstport == 3128 && tcp.payload contains "SSH-2.0-OpenSSH"'
}

scenario proxy/rdp-through-connect connect_rdp proxy/rdp-through-connect.pcapng \
    'FreeRDP 10.20.0.21 reaches xrdp 10.20.0.31:3389 through tinyproxy 10.20.0.8:3128 by CONNECT; nobody logs in.' \
    proxy.http_connect rdp.no_nla rdp.odd_port rdp.session
connect_rdp() {
    rdp_lab
    host proxy 10.20.0.8
    deb tinyproxy-bin
    xrdp term01 3389 tls
    printf 'Port 3128\nTimeout 20\nMaxClients 10\n' >"$TMP/tinyproxy.conf"
    start proxy tinyproxy -d -c "$TMP/tinyproxy.conf"
    listening proxy 3128
    capture
    freerdp pc21 10.20.0.31 3389 2 secret12 /sec:tls /proxy:http://10.20.0.8:3128
    capture_end
    save "$FILE"
    expect 'tcp.dstport == 3128 && tcp.payload contains "CONNECT 10.20.0.31:3389"'
}

# ---------------------------------------------------------------- PROXY protocol

# behind_haproxy PORT BACKEND SEND: HAProxy at 10.20.0.8:PORT tells HAProxy at 10.20.0.11:PORT of its client (SEND is
# send-proxy or send-proxy-v2), and that one hands the stream to 127.0.0.1:BACKEND of its own host.
behind_haproxy() {
    deb haproxy
    local side
    for side in edge inner; do
        {
            printf 'defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n'
            if [[ $side == edge ]]; then printf 'listen edge\n  bind 10.20.0.8:%s\n  server one 10.20.0.11:%s %s\n' "$1" "$1" "$3"
            else printf 'listen inner\n  bind 10.20.0.11:%s accept-proxy\n  server one 127.0.0.1:%s\n' "$1" "$2"; fi
        } >"$TMP/$side.cfg"
    done
    start web01 haproxy -db -f "$TMP/inner.cfg"
    listening web01 "$1"
    start proxy haproxy -db -f "$TMP/edge.cfg"
    listening proxy "$1"
}

scenario proxy/vnc-behind-proxy-protocol proxy_protocol_vnc proxy/vnc-behind-proxy-protocol.pcapng \
    'TigerVNC viewer 10.20.0.21 reaches Xvnc on 10.20.0.11 through two HAProxy, 10.20.0.8:5900 and 10.20.0.11:5900, which speak the PROXY protocol, version 2: RFB is seen plain from the viewer and behind the header of the proxy.' \
    vnc.session
proxy_protocol_vnc() {
    proxy_lab
    deb tigervnc-standalone-server tigervnc-viewer x11-apps
    host web01 10.20.0.11
    viewer_display
    printf 'secret12\n' | tigervncpasswd -f >"$TMP/right"
    tigervnc web01 5901 -SecurityTypes VncAuth
    behind_haproxy 5900 5901 send-proxy-v2
    capture
    start pc21 xtigervncviewer -ReconnectOnError=0 -AlertOnFatalError=0 -passwd "$TMP/right" 10.20.0.8::5900
    sleep 3
    stop
    capture_end
    save "$FILE"
    expect 'tcp.dstport == 5900 && ip.dst == 10.20.0.11 && tcp.payload[0:12] == 0d:0a:0d:0a:00:0d:0a:51:55:49:54:0a'
}

scenario proxy/ssh-behind-proxy-protocol proxy_protocol_ssh proxy/ssh-behind-proxy-protocol.pcapng \
    'OpenSSH client 203.0.113.9 reaches OpenSSH on 10.20.0.11 through two HAProxy, 10.20.0.8:2222 and 10.20.0.11:2222, which speak the PROXY protocol, version 1.' \
    ssh.odd_port ssh.session
proxy_protocol_ssh() {
    proxy_lab
    deb openssh-client openssh-server
    host web01 10.20.0.11
    host stranger 203.0.113.9
    account alice secret12
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$TMP/key"
    cp "$TMP/key.pub" "$TMP/authorized_keys"
    chmod 644 "$TMP/authorized_keys"
    ssh_server web01 22
    behind_haproxy 2222 22 send-proxy
    capture
    quietly 8 stranger ssh -F none -i "$TMP/key" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -p 2222 alice@10.20.0.8 'ls /usr; sleep 1'
    capture_end
    save "$FILE"
    expect 'tcp.dstport == 2222 && tcp.payload contains "PROXY TCP4 203.0.113.9 10.20.0.8"'
}
