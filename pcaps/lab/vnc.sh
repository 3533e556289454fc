# VNC with TigerVNC, TightVNC and x11vnc. Small desktops (320x240) and short sessions, so that captures stay small.
#
# The server is web01, 10.20.0.11. Viewers: pc21 (10.20.0.21, inside), stranger (203.0.113.9, the internet).
# Tshark finds RFB on any port by its banner only in part, hence the octets in `expect` and the option $ON for odd ports.

vnc_lab() {
    host web01 10.20.0.11
    host pc21 10.20.0.21
    host stranger 203.0.113.9
    printf 'secret12\n' | tigervncpasswd -f >"$TMP/right"
    printf 'guessed1\n' | tigervncpasswd -f >"$TMP/wrong"
    viewer_display
}

# Something to see, that moves: else a session is a few hundred octets, and no session is.
picture() {
    deb x11-apps
    start "$1" xclock -display ":$DESKTOP" -geometry 160x160 -update 1
    sleep 0.5
}

# Servers. tigervnc HOST PORT [Xvnc options]
tigervnc() {
    local name=$1 port=$2
    shift 2
    deb tigervnc-standalone-server
    start "$name" Xvnc ":$((++DESKTOP))" -geometry 320x240 -depth 16 -rfbport "$port" -desktop "$name" -PasswordFile "$TMP/right" "$@"
    listening "$name" "$port"
    picture "$name"
}
tightvnc() {   # Without -rfbauth there is no password.
    local name=$1 port=$2
    shift 2
    deb tightvncserver
    start "$name" Xtightvnc ":$((++DESKTOP))" -geometry 320x240 -depth 16 -rfbport "$port" -desktop "$name" "$@"
    listening "$name" "$port"
    picture "$name"
}
x11vnc_at() {  # A real X display, shared.
    local name=$1 port=$2
    shift 2
    deb x11vnc xvfb
    ((++DESKTOP))
    x_server "$name" "$DESKTOP" 320x240x16
    picture "$name"
    start "$name" x11vnc -display ":$DESKTOP" -rfbport "$port" -desktop "$name" -forever -shared -noxdamage -no6 -noipv6 -nopw -quiet "$@"
    ((port == 0)) || listening "$name" "$port"
}

# Viewers: connect, look for some seconds, go. tiger HOST SERVER PORT SECONDS [options]
tiger() {
    local name=$1 server=$2 port=$3 seconds=$4
    shift 4
    deb tigervnc-viewer
    start "$name" xtigervncviewer -ReconnectOnError=0 -AlertOnFatalError=0 "$@" "$server::$port"
    sleep "$seconds"
    stop
}
tight() {
    local name=$1 server=$2 port=$3 seconds=$4
    shift 4
    deb xtightvncviewer
    start "$name" xtightvncviewer -encodings 'tight hextile raw' "$@" "$server::$port"
    sleep "$seconds"
    stop
}

right() { printf '%s\n' -passwd "$TMP/right"; }
wrong() { printf '%s\n' -passwd "$TMP/wrong"; }

# ---------------------------------------------------------------- TigerVNC, password

tiger_password() {   # VIEWER PORT right|wrong [expected result]
    vnc_lab
    tigervnc web01 "$2" -SecurityTypes VncAuth
    capture
    tiger "$1" 10.20.0.11 "$2" 2 -passwd "$TMP/$3"
    capture_end
    save "$FILE"
    expect "vnc.auth_result == $([[ $3 == right ]] && echo 0 || echo 1)" -d "tcp.port==$2,vnc"
}

scenario vnc/tigervnc-password 'tiger_password pc21 5901 right' vnc/tigervnc-password.pcapng \
    'TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901, RFB 3.8, type VncAuth, right password: a session inside.' \
    vnc.session
scenario vnc/tigervnc-password-from-internet 'tiger_password stranger 5900 right' vnc/tigervnc-password-from-internet.pcapng \
    'TigerVNC viewer 203.0.113.9 on the internet to Xvnc 10.20.0.11:5900 with the right password: an exposed server, and a session.' \
    vnc.exposed vnc.session
scenario vnc/tigervnc-wrong-password 'tiger_password pc21 5901 wrong' vnc/tigervnc-wrong-password.pcapng \
    'TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901 with a wrong password: SecurityResult 1 and the reason in clear.' \
    vnc.auth_failed
scenario vnc/tigervnc-wrong-password-from-internet 'tiger_password stranger 5900 wrong' vnc/tigervnc-wrong-password-from-internet.pcapng \
    'TigerVNC viewer 203.0.113.9 on the internet to Xvnc 10.20.0.11:5900 with a wrong password: refused, but the server is exposed.' \
    vnc.exposed vnc.auth_failed
scenario vnc/tigervnc-port-443 'tiger_password pc21 443 right' vnc/tigervnc-port-443.pcapng \
    'VNC where HTTPS belongs: TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:443, right password.' \
    vnc.session vnc.odd_port

# ---------------------------------------------------------------- TigerVNC, no password

tiger_none() {   # VIEWER PORT
    vnc_lab
    tigervnc web01 "$2" -SecurityTypes None
    capture
    tiger "$1" 10.20.0.11 "$2" 2 -SecurityTypes None
    capture_end
    save "$FILE"
    expect 'vnc.security_type == 1' -d "tcp.port==$2,vnc"
    expect 'vnc.desktop_name' -d "tcp.port==$2,vnc"
}

scenario vnc/tigervnc-no-password 'tiger_none pc21 5901' vnc/tigervnc-no-password.pcapng \
    'TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901 without password (RFB 3.8, type None: a SecurityResult still comes).' \
    vnc.session vnc.no_auth
scenario vnc/tigervnc-no-password-from-internet 'tiger_none stranger 5900' vnc/tigervnc-no-password-from-internet.pcapng \
    'TigerVNC viewer 203.0.113.9 on the internet to Xvnc 10.20.0.11:5900 without password.' \
    vnc.exposed vnc.session vnc.no_auth
scenario vnc/tigervnc-no-password-from-internet-port-8443 'tiger_none stranger 8443' vnc/tigervnc-no-password-from-internet-port-8443.pcapng \
    'TigerVNC viewer 203.0.113.9 on the internet to Xvnc 10.20.0.11:8443 without password.' \
    vnc.exposed vnc.session vnc.no_auth vnc.odd_port

scenario vnc/tigervnc-outbound vnc_outbound vnc/tigervnc-outbound.pcapng \
    'TigerVNC viewer 10.20.0.21 inside to a server on the internet, Xvnc 198.51.100.80:5900, with password.' \
    vnc.session vnc.outbound
vnc_outbound() {
    vnc_lab
    host shop 198.51.100.80
    tigervnc shop 5900 -SecurityTypes VncAuth
    capture
    tiger pc21 198.51.100.80 5900 2 -passwd "$TMP/right"
    capture_end
    save "$FILE"
    expect 'vnc.auth_result == 0'
}

# ---------------------------------------------------------------- TigerVNC, VeNCrypt

# tiger_vencrypt SUB-TYPE NUMBER right|wrong VIEWER: the sub-type is the only one both sides have.
tiger_vencrypt() {
    local type=$1 number=$2 password=$3 viewer=$4
    vnc_lab
    deb dnsmasq-base
    answer web01.corp.example 10.20.0.11
    resolver
    certificate web01.corp.example web01.corp.example
    account alice secret12
    tigervnc web01 5901 -SecurityTypes "$type" -X509Cert "$TMP/web01.corp.example.crt" -X509Key "$TMP/web01.corp.example.key" \
        -PAMService tigervnc -PlainUsers alice
    capture
    local who=(-passwd "$TMP/$password")
    if [[ $type == *Plain ]]; then   # user and password from the environment
        who=()
        export VNC_USERNAME=alice VNC_PASSWORD=$([[ $password == right ]] && echo secret12 || echo guessed1)
    fi
    [[ $type != *None ]] || who=()
    local server=10.20.0.11
    [[ $type != X509* ]] || server=web01.corp.example   # the certificate bears the name
    tiger "$viewer" "$server" 5901 3 -SecurityTypes "$type" -X509CA "$TMP/web01.corp.example.crt" "${who[@]}"
    capture_end
    save "$FILE"
    expect 'tcp.payload == 13 && tcp.srcport != 5901'
    # (Plain's credentials follow the choice in the same segment.)
    expect "tcp.payload[0:4] == $(printf '%02x:%02x:%02x:%02x' 0 0 $((number >> 8)) $((number & 255))) && tcp.srcport != 5901"
    if [[ $type == TLS* || $type == X509* ]]; then expect 'tcp.payload[0:2] == 16:03'; fi
}

scenario vnc/tigervnc-vencrypt-tlsnone 'tiger_vencrypt TLSNone 257 right pc21' vnc/tigervnc-vencrypt-tlsnone.pcapng \
    'TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901, VeNCrypt TLSNone: encrypted, but nobody is asked for a password.' \
    vnc.session vnc.no_auth
scenario vnc/tigervnc-vencrypt-tlsvnc 'tiger_vencrypt TLSVnc 258 right pc21' vnc/tigervnc-vencrypt-tlsvnc.pcapng \
    'TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901, VeNCrypt TLSVnc with the right password inside TLS.' \
    vnc.session
scenario vnc/tigervnc-vencrypt-tlsvnc-wrong-password 'tiger_vencrypt TLSVnc 258 wrong pc21' vnc/tigervnc-vencrypt-tlsvnc-wrong-password.pcapng \
    'Hard: TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901, VeNCrypt TLSVnc with a wrong password. The refusal is inside TLS; only sizes and the early end tell that no session came to be.'
scenario vnc/tigervnc-vencrypt-tlsplain 'tiger_vencrypt TLSPlain 259 right pc21' vnc/tigervnc-vencrypt-tlsplain.pcapng \
    'TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901, VeNCrypt TLSPlain: user and password (right) inside TLS.' \
    vnc.session
scenario vnc/tigervnc-vencrypt-tlsplain-wrong-password 'tiger_vencrypt TLSPlain 259 wrong pc21' vnc/tigervnc-vencrypt-tlsplain-wrong-password.pcapng \
    'Hard: TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901, VeNCrypt TLSPlain with a wrong password: refused inside TLS after about two seconds of PAM, no session.'
scenario vnc/tigervnc-vencrypt-x509none 'tiger_vencrypt X509None 260 right stranger' vnc/tigervnc-vencrypt-x509none-from-internet.pcapng \
    'TigerVNC viewer 203.0.113.9 on the internet to Xvnc web01.corp.example, 10.20.0.11:5901, VeNCrypt X509None: a certificate, but no password.' \
    vnc.exposed vnc.session vnc.no_auth
scenario vnc/tigervnc-vencrypt-x509vnc 'tiger_vencrypt X509Vnc 261 right stranger' vnc/tigervnc-vencrypt-x509vnc-from-internet.pcapng \
    'TigerVNC viewer 203.0.113.9 on the internet to Xvnc web01.corp.example, 10.20.0.11:5901, VeNCrypt X509Vnc, right password.' \
    vnc.exposed vnc.session
scenario vnc/tigervnc-vencrypt-x509vnc-wrong-password 'tiger_vencrypt X509Vnc 261 wrong stranger' vnc/tigervnc-vencrypt-x509vnc-wrong-password-from-internet.pcapng \
    'Hard: TigerVNC viewer 203.0.113.9 on the internet to Xvnc 10.20.0.11:5901, VeNCrypt X509Vnc with a wrong password: refused inside TLS. The server is exposed; no session came to be.' \
    vnc.exposed
scenario vnc/tigervnc-vencrypt-x509plain 'tiger_vencrypt X509Plain 262 right pc21' vnc/tigervnc-vencrypt-x509plain.pcapng \
    'TigerVNC viewer 10.20.0.21 to Xvnc web01.corp.example, 10.20.0.11:5901, VeNCrypt X509Plain, right user and password.' \
    vnc.session
scenario vnc/tigervnc-vencrypt-plain 'tiger_vencrypt Plain 256 right pc21' vnc/tigervnc-vencrypt-plain.pcapng \
    'TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901, VeNCrypt Plain: user and password in clear, then a readable session.' \
    vnc.session
scenario vnc/tigervnc-vencrypt-plain-wrong-password 'tiger_vencrypt Plain 256 wrong pc21' vnc/tigervnc-vencrypt-plain-wrong-password.pcapng \
    'TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901, VeNCrypt Plain with a wrong password: SecurityResult 1 in clear.' \
    vnc.auth_failed

# ---------------------------------------------------------------- TigerVNC, old protocol and refusals

scenario vnc/tigervnc-protocol-3.3 'tiger_33 right' vnc/tigervnc-protocol-3.3.pcapng \
    'Xvnc 10.20.0.11:5901 that speaks only RFB 3.3 (type as one u32), TigerVNC viewer 10.20.0.21, right password.' \
    vnc.session
scenario vnc/tigervnc-protocol-3.3-wrong-password 'tiger_33 wrong' vnc/tigervnc-protocol-3.3-wrong-password.pcapng \
    'Xvnc 10.20.0.11:5901 that speaks only RFB 3.3, TigerVNC viewer 10.20.0.21, wrong password: SecurityResult 1 without reason, then the end.' \
    vnc.auth_failed
tiger_33() {
    vnc_lab
    tigervnc web01 5901 -SecurityTypes VncAuth -Protocol3.3
    capture
    tiger pc21 10.20.0.11 5901 2 -passwd "$TMP/$1"
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "RFB 003.003"'
}

scenario vnc/tigervnc-protocol-3.3-no-password tiger_33_none vnc/tigervnc-protocol-3.3-no-password.pcapng \
    'Xvnc 10.20.0.11:5901 that speaks only RFB 3.3, type None: no SecurityResult at all, the viewer 10.20.0.21 goes on at once.' \
    vnc.session vnc.no_auth
tiger_33_none() {
    vnc_lab
    tigervnc web01 5901 -SecurityTypes None -Protocol3.3
    capture
    tiger pc21 10.20.0.11 5901 2 -SecurityTypes None
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "RFB 003.003"'
}

scenario vnc/tigervnc-too-many-failures tiger_black_list vnc/tigervnc-too-many-failures.pcapng \
    'TigerVNC viewer 10.20.0.21 with six wrong passwords at Xvnc 10.20.0.11:5901; then the server greets with RFB 003.003, type 0 and "Too many security failures".' \
    vnc.auth_failed vnc.refused
tiger_black_list() {
    vnc_lab
    tigervnc web01 5901 -SecurityTypes VncAuth
    capture
    for _ in 1 2 3 4 5 6 7; do tiger pc21 10.20.0.11 5901 0.5 -passwd "$TMP/wrong"; done
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "Too many security failures"'
}

scenario vnc/tigervnc-no-common-type 'tiger_no_common pc21' vnc/tigervnc-no-common-type.pcapng \
    'TigerVNC viewer 10.20.0.21 that accepts only X509Vnc reads the type list of Xvnc 10.20.0.11:5901 (VncAuth) and goes: no attempt, no session.'
scenario vnc/tigervnc-no-common-type-from-internet 'tiger_no_common stranger' vnc/tigervnc-no-common-type-from-internet.pcapng \
    'TigerVNC viewer 203.0.113.9 on the internet that accepts only X509Vnc reads the type list of Xvnc 10.20.0.11:5901 and goes: greeted and answered, so exposed.' \
    vnc.exposed
tiger_no_common() {
    vnc_lab
    tigervnc web01 5901 -SecurityTypes VncAuth
    capture
    tiger "$1" 10.20.0.11 5901 1 -SecurityTypes X509Vnc
    capture_end
    save "$FILE"
    refuse 'tcp.len == 1 && ip.dst == 10.20.0.11'   # no choice was made
}

# ---------------------------------------------------------------- TigerVNC, reverse

scenario vnc/tigervnc-reverse 'tiger_reverse pc21 10.20.0.21 5500 VncAuth' vnc/tigervnc-reverse.pcapng \
    'Xvnc on 10.20.0.11 connects out to the listening TigerVNC viewer 10.20.0.21:5500 and keeps its password (right one given).' \
    vnc.session vnc.reverse
scenario vnc/tigervnc-reverse-to-internet 'tiger_reverse stranger 203.0.113.9 5500 VncAuth' vnc/tigervnc-reverse-to-internet.pcapng \
    'Xvnc on 10.20.0.11 connects out to the listening TigerVNC viewer 203.0.113.9:5500 on the internet, with password: somebody outside sees that screen.' \
    vnc.session vnc.reverse vnc.outbound
scenario vnc/tigervnc-reverse-to-internet-port-443 'tiger_reverse stranger 203.0.113.9 443 None' vnc/tigervnc-reverse-to-internet-port-443.pcapng \
    'Xvnc on 10.20.0.11 connects out to the listening TigerVNC viewer 203.0.113.9:443 on the internet, without password.' \
    vnc.session vnc.no_auth vnc.reverse vnc.outbound vnc.odd_port
tiger_reverse() {   # VIEWER ADDRESS PORT SECURITY-TYPE
    vnc_lab
    deb tigervnc-viewer
    tigervnc web01 5901 -SecurityTypes "$4"
    start "$1" xtigervncviewer -listen -ReconnectOnError=0 -AlertOnFatalError=0 -passwd "$TMP/right" "$3"
    listening "$1" "$3"
    local viewer=$STARTED
    capture
    at web01 vncconfig -display ":$DESKTOP" -connect "$2:$3"
    sleep 2
    stop "$viewer"
    capture_end
    save "$FILE"
    expect "ip.src == 10.20.0.11 && tcp.flags.syn == 1 && tcp.dstport == $3"
    expect 'ip.src == 10.20.0.11 && tcp.payload contains "RFB 003.008"'
}

# ---------------------------------------------------------------- TightVNC

tight_session() {   # VIEWER PORT right|wrong
    vnc_lab
    tightvnc web01 "$2" -rfbauth "$TMP/right"
    capture
    tight "$1" 10.20.0.11 "$2" 2 -passwd "$TMP/$3"
    capture_end
    save "$FILE"
    expect 'tcp.payload == 10 && ip.dst == 10.20.0.11'
}
scenario vnc/tightvnc-password 'tight_session pc21 5901 right' vnc/tightvnc-password.pcapng \
    'TightVNC viewer 10.20.0.21 to Xtightvnc 10.20.0.11:5901: type Tight (16), inside it VNC authentication, right password.' \
    vnc.session
scenario vnc/tightvnc-wrong-password 'tight_session pc21 5901 wrong' vnc/tightvnc-wrong-password.pcapng \
    'TightVNC viewer 10.20.0.21 to Xtightvnc 10.20.0.11:5901: type Tight, wrong password.' \
    vnc.auth_failed
scenario vnc/tightvnc-password-from-internet-port-6900 'tight_session stranger 6900 right' vnc/tightvnc-password-from-internet-port-6900.pcapng \
    'TightVNC viewer 203.0.113.9 on the internet to Xtightvnc 10.20.0.11:6900, type Tight, right password.' \
    vnc.exposed vnc.session vnc.odd_port

scenario vnc/tightvnc-no-password 'tight_none pc21' vnc/tightvnc-no-password.pcapng \
    'TightVNC viewer 10.20.0.21 to Xtightvnc 10.20.0.11:5901 without password: type Tight, 0 tunnels, 0 authentication types, so None in other clothes.' \
    vnc.session vnc.no_auth
scenario vnc/tightvnc-no-password-from-internet 'tight_none stranger' vnc/tightvnc-no-password-from-internet.pcapng \
    'TightVNC viewer 203.0.113.9 on the internet to Xtightvnc 10.20.0.11:5901 without password, type Tight.' \
    vnc.exposed vnc.session vnc.no_auth
tight_none() {
    vnc_lab
    tightvnc web01 5901
    capture
    tight "$1" 10.20.0.11 5901 2
    capture_end
    save "$FILE"
    expect 'tcp.payload == 10 && ip.dst == 10.20.0.11'
    expect 'tcp.payload == 00:00:00:00 && ip.src == 10.20.0.11'
}

scenario vnc/tightvnc-reverse 'tight_reverse pc21 10.20.0.21' vnc/tightvnc-reverse.pcapng \
    'Xtightvnc on 10.20.0.11 (password set) connects out to the listening TightVNC viewer 10.20.0.21:5500; it offers no authentication.' \
    vnc.session vnc.no_auth vnc.reverse
scenario vnc/tightvnc-reverse-to-internet 'tight_reverse stranger 203.0.113.9' vnc/tightvnc-reverse-to-internet.pcapng \
    'Xtightvnc on 10.20.0.11 (password set) connects out to the listening TightVNC viewer 203.0.113.9:5500 on the internet, without authentication.' \
    vnc.session vnc.no_auth vnc.reverse vnc.outbound
tight_reverse() {   # VIEWER ADDRESS
    vnc_lab
    deb xtightvncviewer
    tightvnc web01 5901 -rfbauth "$TMP/right"
    start "$1" xtightvncviewer -encodings 'tight hextile raw' -listen 0
    listening "$1" 5500
    local viewer=$STARTED
    capture
    at web01 tightvncconnect -display ":$DESKTOP" "$2"
    sleep 2
    stop "$viewer"
    capture_end
    save "$FILE"
    expect 'ip.src == 10.20.0.11 && tcp.flags.syn == 1 && tcp.dstport == 5500'
    expect 'ip.src == 10.20.0.11 && tcp.payload contains "RFB 003.008"'
}

scenario vnc/tigervnc-viewer-at-tightvnc tiger_at_tight vnc/tigervnc-viewer-at-tightvnc.pcapng \
    'TigerVNC viewer 10.20.0.21 to Xtightvnc 10.20.0.11:5901: of VncAuth and Tight it takes VncAuth, right password.' \
    vnc.session
tiger_at_tight() {
    vnc_lab
    tightvnc web01 5901 -rfbauth "$TMP/right"
    capture
    tiger pc21 10.20.0.11 5901 2 -passwd "$TMP/right"
    capture_end
    save "$FILE"
    expect 'tcp.payload == 02 && ip.dst == 10.20.0.11'
}

# ---------------------------------------------------------------- x11vnc

x11vnc_session() {   # VIEWER PORT right|wrong|none [x11vnc options]
    local viewer=$1 port=$2 password=$3
    shift 3
    vnc_lab
    local lock=(-rfbauth "$TMP/right") key=(-passwd "$TMP/$password")
    [[ $password != none ]] || lock=() key=()
    x11vnc_at web01 "$port" "${lock[@]}" "$@"
    capture
    tiger "$viewer" 10.20.0.11 "$port" 2 "${key[@]}"
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "RFB 003.00"'
    case $password in
        right) expect 'vnc.auth_result == 0' -d "tcp.port==$port,vnc" ;;
        wrong) expect 'vnc.auth_result == 1' -d "tcp.port==$port,vnc" ;;
    esac
}
scenario vnc/x11vnc-password 'x11vnc_session pc21 5900 right' vnc/x11vnc-password.pcapng \
    'TigerVNC viewer 10.20.0.21 to x11vnc 10.20.0.11:5900, right password.' \
    vnc.session
scenario vnc/x11vnc-wrong-password-from-internet 'x11vnc_session stranger 5900 wrong' vnc/x11vnc-wrong-password-from-internet.pcapng \
    'TigerVNC viewer 203.0.113.9 on the internet to x11vnc 10.20.0.11:5900, wrong password: "password check failed!".' \
    vnc.exposed vnc.auth_failed
scenario vnc/x11vnc-no-password-port-6900 'x11vnc_session pc21 6900 none' vnc/x11vnc-no-password-port-6900.pcapng \
    'TigerVNC viewer 10.20.0.21 to x11vnc 10.20.0.11:6900 without password.' \
    vnc.session vnc.no_auth vnc.odd_port
scenario vnc/x11vnc-protocol-3.7 'x11vnc_session pc21 5900 right -rfbversion 3.7' vnc/x11vnc-protocol-3.7.pcapng \
    'TigerVNC viewer 10.20.0.21 to x11vnc 10.20.0.11:5900, RFB 3.7, right password.' \
    vnc.session
scenario vnc/x11vnc-protocol-3.7-wrong-password 'x11vnc_session pc21 5900 wrong -rfbversion 3.7' vnc/x11vnc-protocol-3.7-wrong-password.pcapng \
    'TigerVNC viewer 10.20.0.21 to x11vnc 10.20.0.11:5900, RFB 3.7, wrong password: SecurityResult 1 without a reason.' \
    vnc.auth_failed
scenario vnc/x11vnc-protocol-3.7-no-password 'x11vnc_session pc21 5900 none -rfbversion 3.7' vnc/x11vnc-protocol-3.7-no-password.pcapng \
    'TigerVNC viewer 10.20.0.21 to x11vnc 10.20.0.11:5900, RFB 3.7, type None: no SecurityResult in this version.' \
    vnc.session vnc.no_auth
scenario vnc/x11vnc-protocol-3.3 'x11vnc_session pc21 5900 right -rfbversion 3.3' vnc/x11vnc-protocol-3.3.pcapng \
    'TigerVNC viewer 10.20.0.21 to x11vnc 10.20.0.11:5900, RFB 3.3, right password.' \
    vnc.session

scenario vnc/x11vnc-reverse 'x11vnc_reverse pc21 10.20.0.21' vnc/x11vnc-reverse.pcapng \
    'x11vnc on 10.20.0.11 connects out to the listening TigerVNC viewer 10.20.0.21:5500 and keeps its password (right one given).' \
    vnc.session vnc.reverse
scenario vnc/x11vnc-reverse-to-internet 'x11vnc_reverse stranger 203.0.113.9' vnc/x11vnc-reverse-to-internet.pcapng \
    'x11vnc on 10.20.0.11 connects out to the listening TigerVNC viewer 203.0.113.9:5500 on the internet, with password.' \
    vnc.session vnc.reverse vnc.outbound
x11vnc_reverse() {   # VIEWER ADDRESS
    vnc_lab
    deb tigervnc-viewer
    start "$1" xtigervncviewer -listen -ReconnectOnError=0 -AlertOnFatalError=0 -passwd "$TMP/right" 5500
    listening "$1" 5500
    local viewer=$STARTED
    capture
    x11vnc_at web01 0 -rfbauth "$TMP/right" -connect "$2:5500"
    sleep 4
    stop "$viewer"
    capture_end
    save "$FILE"
    expect 'ip.src == 10.20.0.11 && tcp.flags.syn == 1 && tcp.dstport == 5500'
    expect 'ip.src == 10.20.0.11 && tcp.payload contains "RFB 003.008"'
}

# ---------------------------------------------------------------- in a browser: RFB inside WebSocket

# The page is served to the browser by its own host: on the wire is only the WebSocket.
novnc() {   # VIEWER SECURITY-TYPE
    vnc_lab
    deb novnc websockify chromium
    tigervnc web01 5901 -localhost -SecurityTypes "$2"
    start web01 websockify 6080 127.0.0.1:5901
    listening web01 6080
    start "$1" python3 -m http.server --bind 127.0.0.1 --directory /usr/share/novnc 8000
    listening "$1" 8000
    capture
    start "$1" chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update \
        --no-first-run --disable-sync --disable-default-apps --user-data-dir="$TMP/chromium" \
        'http://127.0.0.1:8000/vnc_lite.html?host=10.20.0.11&port=6080&password=secret12'
    connected "$1" 6080
    sleep 2.5
    stop
    capture_end
    save "$FILE"
    expect 'http.response.code == 101'
    expect 'tcp.payload contains "RFB 003.008" && ip.src == 10.20.0.11'
}
scenario vnc/novnc 'novnc pc21 VncAuth' vnc/novnc.pcapng \
    'noVNC in Chromium on 10.20.0.21 through websockify at 10.20.0.11:6080 to Xvnc behind it, right password: RFB in WebSocket frames, the client side masked.' \
    vnc.session
scenario vnc/novnc-no-password-from-internet 'novnc stranger None' vnc/novnc-no-password-from-internet.pcapng \
    'noVNC in Chromium on 203.0.113.9 on the internet through websockify at 10.20.0.11:6080 to Xvnc behind it, without password.' \
    vnc.exposed vnc.session vnc.no_auth

# ---------------------------------------------------------------- probes and guessing

scenario vnc/probe-banner-from-internet vnc_probe_banner vnc/probe-banner-from-internet.pcapng \
    'nc on 203.0.113.9 reads the greeting of Xvnc 10.20.0.11:5900, says nothing and goes: greeted, not answered.'
vnc_probe_banner() {
    vnc_lab
    deb netcat-openbsd
    tigervnc web01 5900 -SecurityTypes VncAuth
    capture
    quietly 3 stranger nc -d -w 1 10.20.0.11 5900
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "RFB 003.008" && ip.src == 10.20.0.11'
    refuse 'tcp.len > 0 && ip.src == 203.0.113.9'
}

scenario vnc/nmap-vnc-info-from-internet vnc_nmap vnc/nmap-vnc-info-from-internet.pcapng \
    'nmap --script vnc-info on 203.0.113.9 asks Xvnc 10.20.0.11:5900 for its types: it answers the greeting, reads the list and goes.' \
    vnc.exposed
vnc_nmap() {
    vnc_lab
    deb nmap
    tigervnc web01 5900 -SecurityTypes VncAuth
    capture
    quietly 20 stranger nmap -Pn -n -p 5900 --script vnc-info 10.20.0.11
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "RFB 003.008" && ip.src == 203.0.113.9'
}

scenario vnc/hydra-from-internet vnc_hydra vnc/hydra-from-internet.pcapng \
    'hydra on 203.0.113.9 tries four passwords at Xvnc 10.20.0.11:5900, all wrong; it speaks RFB 3.7, so no reason comes.' \
    vnc.exposed vnc.auth_failed
vnc_hydra() {
    vnc_lab
    deb hydra
    tigervnc web01 5900 -SecurityTypes VncAuth
    printf '%s\n' 123456 password letmein admin >"$TMP/words"
    capture
    quietly 20 stranger hydra -t 1 -P "$TMP/words" vnc://10.20.0.11
    capture_end
    save "$FILE"
    expect 'vnc.auth_result == 1'
    refuse 'vnc.auth_result == 0'
}

# ---------------------------------------------------------------- the same through other links, addresses and files

scenario vnc/ipv6 'vnc_ipv6 pc21' vnc/ipv6.pcapng \
    'Over IPv6 inside: TigerVNC viewer fd00:20::21 to Xvnc [fd00:20::11]:5901, right password.' \
    vnc.session
scenario vnc/ipv6-from-internet 'vnc_ipv6 stranger' vnc/ipv6-from-internet.pcapng \
    'Over IPv6 from the internet: TigerVNC viewer 2001:db8::9 to Xvnc [fd00:20::11]:5901, right password.' \
    vnc.exposed vnc.session
vnc_ipv6() {
    lab_ipv6
    host web01 fd00:20::11
    host pc21 fd00:20::21
    host stranger 2001:db8::9
    printf 'secret12\n' | tigervncpasswd -f >"$TMP/right"
    viewer_display
    tigervnc web01 5901 -SecurityTypes VncAuth
    capture
    tiger "$1" '[fd00:20::11]' 5901 2 -passwd "$TMP/right"
    capture_end
    save "$FILE"
    expect 'ipv6 && vnc.auth_result == 0'
}

scenario vnc/vlan vnc_vlan vnc/vlan.pcapng \
    'The trunk of a switch: all frames carry 802.1Q tag 120. TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901 without password.' \
    vnc.session vnc.no_auth
vnc_vlan() {
    host_on_vlan web01 10.20.0.11 120
    host_on_vlan pc21 10.20.0.21 120
    printf 'secret12\n' | tigervncpasswd -f >"$TMP/right"
    viewer_display
    tigervnc web01 5901 -SecurityTypes None
    capture_on router trunk
    tiger pc21 10.20.0.11 5901 2 -SecurityTypes None
    capture_end
    save "$FILE"
    expect 'vlan.id == 120 && vnc.security_type == 1'
    refuse 'tcp && !vlan'
}

vnc_link() {   # FORMAT tcpdump-options...: captured on the server
    local format=$1
    shift
    vnc_lab
    tigervnc web01 5901 -SecurityTypes VncAuth
    capture_on web01 "$@"
    tiger pc21 10.20.0.11 5901 2 -passwd "$TMP/right"
    capture_end
    FORMAT=$format save "$FILE"
    expect 'vnc.auth_result == 0'
}
scenario vnc/linux-sll2 'vnc_link pcapng any' vnc/linux-sll2.pcapng \
    'Captured on the server with tcpdump -i any (link type LINUX_SLL2): TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901, right password.' \
    vnc.session
scenario vnc/linux-sll 'vnc_link pcapng any -y LINUX_SLL' vnc/linux-sll.pcapng \
    'Captured on the server with tcpdump -i any -y LINUX_SLL: TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901, right password.' \
    vnc.session
scenario vnc/snaplen-96 'vnc_link pcapng eth0 -s 96' vnc/snaplen-96.pcapng \
    'Every packet cut to 96 octets: the handshake fits, pixels do not. TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901, right password.' \
    vnc.session
scenario vnc/pcap-nanoseconds 'vnc_link nsecpcap eth0 --time-stamp-precision=nano' vnc/pcap-nanoseconds.pcap \
    'A classic pcap with nanoseconds: TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901, right password.' \
    vnc.session
scenario vnc/pcapng-gzip 'vnc_link pcapng eth0' vnc/pcapng-gzip.pcapng.gz \
    'A pcapng packed with gzip: TigerVNC viewer 10.20.0.21 to Xvnc 10.20.0.11:5901, right password.' \
    vnc.session

scenario vnc/joined-late vnc_joined_late vnc/joined-late.pcapng \
    'Hard: the capture begins in the middle of a session of TigerVNC viewer 10.20.0.21 at Xvnc 10.20.0.11:5901; the handshake is not in it, so nothing can be said.'
vnc_joined_late() {
    vnc_lab
    tigervnc web01 5901 -SecurityTypes VncAuth
    deb tigervnc-viewer
    start pc21 xtigervncviewer -ReconnectOnError=0 -AlertOnFatalError=0 -passwd "$TMP/right" 10.20.0.11::5901
    local viewer=$STARTED
    connected pc21 5901
    sleep 1
    capture
    sleep 2
    stop "$viewer"
    capture_end
    save "$FILE"
    refuse 'tcp.flags.syn == 1'
    expect 'tcp.port == 5901 && tcp.len > 0'
}
