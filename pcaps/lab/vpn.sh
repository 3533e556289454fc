# VPNs, overlays, tunnels in DNS, encrypted DNS, Tor: each with its own programs at both ends.

vpn_lab() {
    host pc21 10.20.0.21
    host gate 198.51.100.70
    deb dnsmasq-base
}

# run_for SECONDS: the programs talk.
run_for() { sleep "$1"; }

# ---------------------------------------------------------------- WireGuard

scenario vpn/wireguard wireguard vpn/wireguard.pcapng \
    'wireguard-go on 10.20.0.21 opens a tunnel to wireguard-go on 198.51.100.70:51820, which answers; pings pass inside.' \
    vpn.wireguard
wireguard() {
    vpn_lab
    deb wireguard-go wireguard-tools
    mkdir -p "$TMP/wg" /run/wireguard
    local side
    for side in pc21 gate; do wg genkey >"$TMP/wg/$side.key"; wg pubkey <"$TMP/wg/$side.key" >"$TMP/wg/$side.pub"; done
    # Interfaces have names of their own, as their control sockets lie in one folder.
    start gate wireguard-go -f "wgb$INDEX"
    start pc21 wireguard-go -f "wga$INDEX"
    sleep 1
    at gate wg set "wgb$INDEX" listen-port 51820 private-key "$TMP/wg/gate.key" \
        peer "$(cat "$TMP/wg/pc21.pub")" allowed-ips 10.99.0.1/32
    capture
    at pc21 wg set "wga$INDEX" private-key "$TMP/wg/pc21.key" \
        peer "$(cat "$TMP/wg/gate.pub")" allowed-ips 10.99.0.2/32 endpoint 198.51.100.70:51820 persistent-keepalive 1
    at gate ip addr add 10.99.0.2/24 dev "wgb$INDEX"
    at pc21 ip addr add 10.99.0.1/24 dev "wga$INDEX"
    at gate ip link set "wgb$INDEX" up
    at pc21 ip link set "wga$INDEX" up
    quietly 5 pc21 ping -c 3 -i 0.5 10.99.0.2
    run_for 2
    capture_end
    KEEP=30 save "$FILE"
    expect 'udp.port == 51820 && udp.payload[0:4] == 01:00:00:00 && udp.length == 156'
    expect 'udp.srcport == 51820 && udp.payload[0:4] == 02:00:00:00 && udp.length == 100'
}

scenario vpn/wireguard-in-its-middle wireguard_in_its_middle vpn/wireguard-in-its-middle.pcapng \
    'The same on port 443; the capture begins behind the handshake: transport data only.' \
    vpn.wireguard
wireguard_in_its_middle() {
    vpn_lab
    deb wireguard-go wireguard-tools
    mkdir -p "$TMP/wg" /run/wireguard
    local side
    for side in pc21 gate; do wg genkey >"$TMP/wg/$side.key"; wg pubkey <"$TMP/wg/$side.key" >"$TMP/wg/$side.pub"; done
    start gate wireguard-go -f "wgb$INDEX"
    start pc21 wireguard-go -f "wga$INDEX"
    sleep 1
    at gate wg set "wgb$INDEX" listen-port 443 private-key "$TMP/wg/gate.key" \
        peer "$(cat "$TMP/wg/pc21.pub")" allowed-ips 10.99.0.1/32
    at pc21 wg set "wga$INDEX" private-key "$TMP/wg/pc21.key" \
        peer "$(cat "$TMP/wg/gate.pub")" allowed-ips 10.99.0.2/32 endpoint 198.51.100.70:443
    at gate ip addr add 10.99.0.2/24 dev "wgb$INDEX"
    at pc21 ip addr add 10.99.0.1/24 dev "wga$INDEX"
    at gate ip link set "wgb$INDEX" up
    at pc21 ip link set "wga$INDEX" up
    quietly 5 pc21 ping -c 2 -i 0.5 10.99.0.2
    capture
    quietly 8 pc21 ping -c 6 -i 0.3 10.99.0.2
    capture_end
    save "$FILE"
    expect 'udp.port == 443 && udp.payload[0:4] == 04:00:00:00'
    refuse 'udp.port == 443 && udp.payload[0:1] != 04'
}

# ---------------------------------------------------------------- OpenVPN

# openvpn_pair PROTOCOL PORT SERVER-OPTIONS -- CLIENT-OPTIONS: both ends, each knowing the other's certificate; no interface.
openvpn_pair() {
    local protocol=$1 port=$2 server=()
    shift 2
    while [[ $1 != -- ]]; do server+=("$1"); shift; done
    shift
    deb openvpn
    certificate gate gate.example.org
    certificate pc21 pc21.example.org
    local gate pc21
    gate=$(openssl x509 -in "$TMP/gate.crt" -noout -fingerprint -sha256 | cut -d= -f2)
    pc21=$(openssl x509 -in "$TMP/pc21.crt" -noout -fingerprint -sha256 | cut -d= -f2)
    local common=(--dev null --ping 5 --verb 3 --tls-version-max 1.2)
    local as_server=$protocol as_client=$protocol
    if [[ $protocol == tcp ]]; then as_server=tcp-server as_client=tcp-client; fi
    start gate openvpn "${common[@]}" --tls-server --dh none --proto "$as_server" --lport "$port" \
        --cert "$TMP/gate.crt" --key "$TMP/gate.key" --peer-fingerprint "$pc21" "${server[@]}"
    sleep 1
    capture
    start pc21 openvpn "${common[@]}" --tls-client --proto "$as_client" --remote 198.51.100.70 "$port" --nobind \
        --cert "$TMP/pc21.crt" --key "$TMP/pc21.key" --peer-fingerprint "$gate" "$@"
    local n
    for ((n = 0; n < 80; n++)); do grep -q 'Initialization Sequence Completed' "$LOG" && break; sleep 0.1; done
    grep -q 'Initialization Sequence Completed' "$LOG" || die "no session: $(tail -n 5 "$LOG")"
    run_for 2
    capture_end
    save "$FILE"
}

scenario vpn/openvpn-udp openvpn_udp vpn/openvpn-udp.pcapng \
    'OpenVPN on 10.20.0.21 connects to 198.51.100.70:1194 over UDP, its control channel unwrapped: TLS 1.2 with both certificates inside.' \
    vpn.openvpn
openvpn_udp() {
    vpn_lab
    openvpn_pair udp 1194 --
    expect 'udp.dstport == 1194 && udp.payload[0:1] == 38 && udp.length == 22'
    expect 'udp.srcport == 1194 && udp.payload[0:1] == 40'
}

scenario vpn/openvpn-tcp-tls-auth openvpn_tcp_tls_auth vpn/openvpn-tcp-tls-auth.pcapng \
    'OpenVPN on 10.20.0.21 connects to 198.51.100.70:443 over TCP with tls-auth: a check value before each packet, TLS 1.2 readable inside.' \
    vpn.openvpn
openvpn_tcp_tls_auth() {
    vpn_lab
    openvpn --genkey secret "$TMP/ta.key"
    openvpn_pair tcp 443 --tls-auth "$TMP/ta.key" 0 -- --tls-auth "$TMP/ta.key" 1
    expect 'tcp.dstport == 443 && tcp.payload[2:1] == 38'
}

scenario vpn/openvpn-udp-tls-auth-sha512 openvpn_udp_tls_auth_sha512 vpn/openvpn-udp-tls-auth-sha512.pcapng \
    'The same over UDP port 1195 with SHA-512 as check value.' \
    vpn.openvpn
openvpn_udp_tls_auth_sha512() {
    vpn_lab
    openvpn --genkey secret "$TMP/ta.key"
    openvpn_pair udp 1195 --auth SHA512 --tls-auth "$TMP/ta.key" 0 -- --auth SHA512 --tls-auth "$TMP/ta.key" 1
    expect 'udp.dstport == 1195 && udp.payload[0:1] == 38 && udp.length == 94'
}

scenario vpn/openvpn-udp-tls-crypt openvpn_udp_tls_crypt vpn/openvpn-udp-tls-crypt.pcapng \
    'OpenVPN on 10.20.0.21 connects to 198.51.100.70:53 over UDP with tls-crypt: only opcodes, sessions, counters and times are in clear.' \
    vpn.openvpn
openvpn_udp_tls_crypt() {
    vpn_lab
    openvpn --genkey secret "$TMP/ta.key"
    openvpn_pair udp 53 --tls-crypt "$TMP/ta.key" -- --tls-crypt "$TMP/ta.key"
    expect 'udp.dstport == 53 && udp.payload[0:1] == 38 && udp.length == 62'
}

scenario vpn/openvpn-tcp-tls-crypt-v2 openvpn_tcp_tls_crypt_v2 vpn/openvpn-tcp-tls-crypt-v2.pcapng \
    'OpenVPN on 10.20.0.21 connects to 198.51.100.70:1194 over TCP with tls-crypt-v2: its wrapped key stands behind the first packet.' \
    vpn.openvpn
openvpn_tcp_tls_crypt_v2() {
    vpn_lab
    openvpn --genkey tls-crypt-v2-server "$TMP/server.key"
    openvpn --tls-crypt-v2 "$TMP/server.key" --genkey tls-crypt-v2-client "$TMP/client.key"
    openvpn_pair tcp 1194 --tls-crypt-v2 "$TMP/server.key" -- --tls-crypt-v2 "$TMP/client.key"
    expect 'tcp.dstport == 1194 && tcp.payload[2:1] == 50'
}

# ---------------------------------------------------------------- IPsec

# strongswan HOST FOLDER: charon with a control socket of its own.
strongswan() {
    mkdir -p "$TMP/$2"
    cat >"$TMP/$2/strongswan.conf" <<CONF
charon {
    load_modular = no
    load = random nonce aes sha1 sha2 hmac kdf gmp curve25519 x509 pem pkcs1 kernel-netlink socket-default vici
    plugins { vici { socket = unix://$TMP/$2/vici } }
    pid_file = $TMP/$2/charon.pid
    filelog { stderr { default = 1 } }
    port = 500
    port_nat_t = 4500
    send_vendor_id = yes
}
swanctl { load = pem pkcs1 x509 }
CONF
    start "$1" env STRONGSWAN_CONF="$TMP/$2/strongswan.conf" unshare --mount sh -c 'mount -t tmpfs run /run && exec /usr/lib/ipsec/charon'
    local n
    for ((n = 0; n < 50; n++)); do [[ -S $TMP/$2/vici ]] && return 0; sleep 0.1; done
    die "no charon: $(tail -n 5 "$LOG")"
}

# ike_pair VERSION: a shared secret; whatever becomes of the child, IKE is spoken.
ike_pair() {
    deb strongswan-charon strongswan-swanctl
    strongswan gate sw-gate
    strongswan pc21 sw-pc21
    local side peer
    for side in gate pc21; do
        peer='remote_addrs = %any'
        [[ $side == pc21 ]] && peer='remote_addrs = 198.51.100.70'
        cat >"$TMP/sw-$side/swanctl.conf" <<CONF
connections { lab { version = $1
    proposals = aes128-sha256-modp2048
    $peer
    local { auth = psk }
    remote { auth = psk }
    children { net { esp_proposals = aes128-sha256 } } } }
secrets { ike-lab { secret = only-in-the-lab } }
CONF
        at "$side" env STRONGSWAN_CONF="$TMP/sw-$side/strongswan.conf" swanctl --load-all --uri "unix://$TMP/sw-$side/vici" --file "$TMP/sw-$side/swanctl.conf" >"$TMP/load-$side.log" 2>&1 || true
    done
    capture
    quietly 6 pc21 env STRONGSWAN_CONF="$TMP/sw-pc21/strongswan.conf" swanctl --initiate --child net --timeout 5 --uri "unix://$TMP/sw-pc21/vici"
    capture_end
    save "$FILE"
}

scenario vpn/ikev2-strongswan ikev2_strongswan vpn/ikev2-strongswan.pcapng \
    'strongSwan on 10.20.0.21 speaks IKEv2 with strongSwan on 198.51.100.70.' \
    vpn.ipsec
ikev2_strongswan() {
    vpn_lab
    ike_pair 2
    expect 'isakmp.version == 0x20 && isakmp.exchangetype == 34 && ip.src == 198.51.100.70'
}

scenario vpn/ikev1-strongswan ikev1_strongswan vpn/ikev1-strongswan.pcapng \
    'strongSwan on 10.20.0.21 speaks IKEv1, main mode, with strongSwan on 198.51.100.70.' \
    vpn.ipsec
ikev1_strongswan() {
    vpn_lab
    ike_pair 1
    expect 'isakmp.version == 0x10 && isakmp.exchangetype == 2 && ip.src == 198.51.100.70'
}

# ---------------------------------------------------------------- PPTP, L2TP

scenario vpn/pptp pptp vpn/pptp.pcapng \
    'pptp on 10.20.0.21 opens the control connection of PPTP to pptpd on 198.51.100.70:1723, which answers.' \
    vpn.pptp
pptp() {
    vpn_lab
    deb pptp-linux pptpd
    printf 'localip 10.98.0.1\nremoteip 10.98.0.2-9\nppp /bin/true\n' >"$TMP/pptpd.conf"
    start gate pptpd --fg --conf "$TMP/pptpd.conf" --pidfile "$TMP/pptpd.pid"
    listening gate 1723
    capture
    quietly 4 pc21 pptp 198.51.100.70 --nolaunchpppd
    capture_end
    save "$FILE"
    expect 'pptp.type == 1 && tcp.srcport == 1723'
}

scenario vpn/l2tp l2tp vpn/l2tp.pcapng \
    'xl2tpd on 10.20.0.21 opens an L2TP control connection, without IPsec, to xl2tpd on 198.51.100.70:1701, which answers.' \
    vpn.l2tp
l2tp() {
    vpn_lab
    deb xl2tpd
    mkdir -p "$TMP/l2tp"
    printf '[global]\nport = 1701\naccess control = no\n[lns default]\nip range = 10.97.0.2-10.97.0.9\nlocal ip = 10.97.0.1\nname = gate\npppoptfile = /dev/null\n' >"$TMP/l2tp/gate.conf"
    printf '[global]\nport = 1701\n[lac home]\nlns = 198.51.100.70\nname = pc21\npppoptfile = /dev/null\nautodial = yes\n' >"$TMP/l2tp/pc21.conf"
    start gate xl2tpd -D -c "$TMP/l2tp/gate.conf" -p "$TMP/l2tp/gate.pid" -C "$TMP/l2tp/gate.control"
    sleep 1
    capture
    start pc21 xl2tpd -D -c "$TMP/l2tp/pc21.conf" -p "$TMP/l2tp/pc21.pid" -C "$TMP/l2tp/pc21.control"
    run_for 3
    capture_end
    save "$FILE"
    expect 'l2tp.avp.message_type == 1'
    expect 'l2tp.avp.message_type == 2 && ip.src == 198.51.100.70'
}

# ---------------------------------------------------------------- overlays

scenario vpn/tinc tinc vpn/tinc.pcapng \
    'tincd on 10.20.0.21 connects to tincd on 198.51.100.70:655: both name themselves and exchange keys, data pass over UDP.' \
    vpn.tinc
tinc() {
    vpn_lab
    deb tinc
    local side
    for side in pc21 gate; do
        mkdir -p "$TMP/tinc-$side/hosts"
        printf 'Name = %s\nDeviceType = dummy\nAddressFamily = ipv4\n' "$side" >"$TMP/tinc-$side/tinc.conf"
        printf 'Subnet = 10.96.0.%s/32\n' "$([[ $side == pc21 ]] && echo 1 || echo 2)" >"$TMP/tinc-$side/hosts/$side"
    done
    printf 'ConnectTo = gate\n' >>"$TMP/tinc-pc21/tinc.conf"
    printf 'Address = 198.51.100.70\n' >>"$TMP/tinc-gate/hosts/gate"
    for side in pc21 gate; do tincd -c "$TMP/tinc-$side" -K2048 </dev/null >/dev/null 2>&1; done
    cp "$TMP/tinc-gate/hosts/gate" "$TMP/tinc-pc21/hosts/"
    cp "$TMP/tinc-pc21/hosts/pc21" "$TMP/tinc-gate/hosts/"
    start gate tincd -D -d2 -c "$TMP/tinc-gate" --pidfile="$TMP/tinc-gate/pid"
    listening gate 655
    capture
    start pc21 tincd -D -d2 -c "$TMP/tinc-pc21" --pidfile="$TMP/tinc-pc21/pid"
    run_for 4
    capture_end
    save "$FILE"
    expect 'tcp.dstport == 655 && tcp.payload contains "0 pc21 17"'
    expect 'tcp.srcport == 655 && tcp.payload contains "0 gate 17"'
}

scenario vpn/nebula nebula vpn/nebula.pcapng \
    'Nebula on 10.20.0.21 shakes hands with the lighthouse on 198.51.100.70:4242, which answers.' \
    vpn.nebula
nebula() {
    vpn_lab
    deb nebula
    mkdir -p "$TMP/nebula"
    (cd "$TMP/nebula" && nebula-cert ca -name Lab && nebula-cert sign -name gate -ip 10.95.0.1/24 && nebula-cert sign -name pc21 -ip 10.95.0.2/24)
    local side lighthouse hosts
    for side in gate pc21; do
        lighthouse=false hosts='["10.95.0.1"]'
        if [[ $side == gate ]]; then lighthouse=true hosts='[]'; fi
        cat >"$TMP/nebula/$side.yml" <<CONF
pki: {ca: $TMP/nebula/ca.crt, cert: $TMP/nebula/$side.crt, key: $TMP/nebula/$side.key}
static_host_map: {"10.95.0.1": ["198.51.100.70:4242"]}
lighthouse: {am_lighthouse: $lighthouse, interval: 5, hosts: $hosts}
listen: {host: 0.0.0.0, port: 4242}
tun: {disabled: true}
firewall: {outbound: [{port: any, proto: any, host: any}], inbound: [{port: any, proto: any, host: any}]}
CONF
    done
    start gate nebula -config "$TMP/nebula/gate.yml"
    sleep 1
    capture
    start pc21 nebula -config "$TMP/nebula/pc21.yml"
    run_for 4
    capture_end
    save "$FILE"
    expect 'udp.dstport == 4242 && udp.payload[0:8] == 10:00:00:00:00:00:00:00 && udp.payload[15:1] == 01'
    expect 'ip.src == 198.51.100.70 && udp.payload[0:4] == 10:00:00:00 && udp.payload[15:1] == 02'
}

scenario vpn/softether softether vpn/softether.pcapng \
    'SoftEther VPN Server on 10.20.0.21 starts: it asks for names of the dynamic DNS and the NAT traversal of its project, which do not exist here. A lead by names.' \
    vpn.softether
softether() {
    vpn_lab
    deb softether-vpnserver
    resolver
    mkdir -p "$TMP/softether"
    capture
    # It keeps its configuration in /var/lib and locks in /run.
    start pc21 unshare --mount sh -c 'mkdir -p /var/lib/softether; mount -t tmpfs s /var/lib/softether; mount -t tmpfs r /run; mkdir /run/softether; exec vpnserver execsvc'
    run_for 8
    capture_end
    KEEP=200 save "$FILE"
    expect 'dns.qry.name contains "softether-network.net"'
}

# ---------------------------------------------------------------- tunnels in DNS

scenario tunnels/dns-iodine dns_iodine tunnels/dns-iodine.pcapng \
    'iodine on 10.20.0.21 asks iodined on 198.51.100.70:53 directly: version, log-in, tests of codecs, then IP inside NULL questions of t.example.net.' \
    tunnel.dns.iodine
dns_iodine() {
    vpn_lab
    deb iodine
    start gate iodined -f -c -P only-in-the-lab -l 198.51.100.70 10.94.0.1/24 t.example.net
    sleep 1
    capture
    start pc21 iodine -f -r -P only-in-the-lab 198.51.100.70 t.example.net
    run_for 6
    quietly 4 pc21 ping -c 2 10.94.0.1
    capture_end
    KEEP=150 save "$FILE"
    expect 'dns.qry.name matches "^vaaaaka"'
    expect 'dns.qry.name matches "^l[a-z0-5]{31}[.]t[.]example[.]net"'
}

scenario tunnels/dns-dns2tcp dns_dns2tcp tunnels/dns-dns2tcp.pcapng \
    'dns2tcpc on 10.20.0.21 carries an SSH connection to dns2tcpd on 198.51.100.70:53 in TXT questions of t.example.net.' \
    tunnel.dns.dns2tcp
dns_dns2tcp() {
    vpn_lab
    deb dns2tcp openssh-client
    printf 'listen = 198.51.100.70\nport = 53\nuser = nobody\nchroot = /tmp\ndomain = t.example.net\nresources = ssh:127.0.0.1:22\n' >"$TMP/dns2tcpd.conf"
    ssh_server gate 22
    start gate dns2tcpd -F -f "$TMP/dns2tcpd.conf"
    sleep 1
    capture
    start pc21 dns2tcpc -r ssh -l 2222 -z t.example.net 198.51.100.70
    sleep 2
    quietly 5 pc21 ssh -p 2222 -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null nobody@127.0.0.1 true
    capture_end
    KEEP=150 save "$FILE"
    expect 'dns.qry.name contains "=auth.t.example.net"'
    expect 'dns.qry.name contains "=connect.t.example.net"'
}

# ---------------------------------------------------------------- a tunnel in ICMP

scenario tunnels/icmp-ptunnel-ng icmp_ptunnel_ng tunnels/icmp-ptunnel-ng.pcapng \
    'ptunnel-ng on 10.20.0.21 carries an SSH connection to ptunnel-ng on 198.51.100.70 in echo messages; an honest ping before.' \
    tunnel.icmp
icmp_ptunnel_ng() {
    vpn_lab
    deb ptunnel-ng openssh-client iputils-ping
    ssh_server gate 22
    start gate ptunnel-ng -r198.51.100.70 -R22
    sleep 1
    capture
    quietly 3 pc21 ping -c 2 -i 0.3 198.51.100.70
    start pc21 ptunnel-ng -p198.51.100.70 -l2222 -r198.51.100.70 -R22
    listening pc21 2222
    quietly 5 pc21 ssh -p 2222 -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null nobody@127.0.0.1 true
    capture_end
    KEEP=60 save "$FILE"
    expect 'icmp.type == 8 && data.data[0:4] == de:ad:c0:de'
}

# ---------------------------------------------------------------- encrypted DNS

scenario vpn/dns-over-tls dns_over_tls vpn/dns-over-tls.pcapng \
    'kdig on 10.20.0.21 opens DNS over TLS to 198.51.100.70:853, a TLS server that reads and does not answer.' \
    dns.dot
dns_over_tls() {
    vpn_lab
    deb knot-dnsutils openssl
    tls_server gate 853 resolver.example.org -alpn dot
    capture
    quietly 4 pc21 kdig +tls +retry=0 +time=2 @198.51.100.70 www.example.org A
    capture_end
    save "$FILE"
    expect 'tls.handshake.type == 1 && tcp.dstport == 853'
}

# ---------------------------------------------------------------- Tor

scenario vpn/tor tor vpn/tor.pcapng \
    'tor on 10.20.0.21 opens connections to a bridge, tor on 198.51.100.70:9001: TLS with made-up names.' \
    anonymizer.tor
tor() {
    vpn_lab
    deb tor
    local common=(--RunAsDaemon 0 --Log 'notice stdout' --GeoIPFile /dev/null --GeoIPv6File /dev/null --ignore-missing-torrc -f /dev/null)
    start gate tor "${common[@]}" --DataDirectory "$TMP/tor-gate" --SocksPort 0 --ORPort 198.51.100.70:9001 --AssumeReachable 1 \
        --BridgeRelay 1 --PublishServerDescriptor 0 --ContactInfo lab --ExitRelay 0
    listening gate 9001
    capture
    # Some names have too few digits to be told from a word: the client begins anew until one has.
    local n
    for ((n = 0; n < 6; n++)); do
        start pc21 tor "${common[@]}" --DataDirectory "$TMP/tor-pc21-$n" --SocksPort 0 --UseBridges 1 --Bridge 198.51.100.70:9001
        sleep 2
        stop
    done
    capture_end
    save "$FILE"
    expect 'tls.handshake.extensions_server_name matches "^www[.][a-z2-7]{8,20}[.]com$"'
}

# ---------------------------------------------------------------- n2n

scenario vpn/n2n-1 n2n vpn/n2n-1.pcapng \
    'n2n 1.3: the edge on 10.20.0.21 registers with the supernode 198.51.100.70:7654, and pings the edge on 10.20.0.22 through it.' \
    vpn.n2n
n2n() {
    vpn_lab
    deb n2n
    host pc22 10.20.0.22
    start gate supernode -l 7654 -f
    sleep 1
    capture
    start pc21 edge -f -d n2na -a 10.99.0.1 -c sales -k secret12 -l 198.51.100.70:7654 -m 02:00:00:63:00:01
    start pc22 edge -f -d n2nb -a 10.99.0.2 -c sales -k secret12 -l 198.51.100.70:7654 -m 02:00:00:63:00:02
    sleep 3
    quietly 5 pc21 ping -c 3 -i 0.5 10.99.0.2
    run_for 2
    capture_end
    save "$FILE"
    expect 'udp.dstport == 7654 && udp.payload contains "sales"'
}
