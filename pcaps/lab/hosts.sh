# What hosts call themselves: DHCP, multicast DNS, NetBIOS; and that an alert about a host then has its name.

# bare_host NAME MAC: a namespace on the inside bridge without an address.
bare_host() {
    local name=$1
    ip netns add "$name"
    ip -n "$name" link set lo up
    ip -n "$name" link add eth0 address "$2" type veth peer name "p-$name" netns router
    in_ns "$name" bash -c "$(declare -f plain_veth); plain_veth eth0"
    in_ns router bash -c "$(declare -f plain_veth); plain_veth 'p-$name'"
    in_ns router sysctl -qw "net.ipv6.conf.p-$name.disable_ipv6=1"
    in_ns "$name" sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
    in_ns router ip link set "p-$name" master in up
    ip -n "$name" link set eth0 up
}

dhcp_server() {
    deb dnsmasq-base
    start dns dnsmasq --keep-in-foreground --user=root --port=0 --conf-file=/dev/null --pid-file="$TMP/dhcp.pid" \
        --dhcp-range=10.20.7.100,10.20.7.120,255.255.0.0,1h --dhcp-option=3,10.20.0.1 --dhcp-leasefile="$TMP/leases" --dhcp-authoritative
    sleep 0.5
}

scenario hosts/dhcp-then-vnc hosts_dhcp hosts/dhcp-then-vnc.pcapng \
    'The ISC client calls itself till07 and gets 10.20.7.x from dnsmasq; then pc21 controls its desktop by VNC: the alert has the name.' \
    vnc.session
hosts_dhcp() {
    vnc_lab
    bare_host till07 02:00:0a:14:07:07
    dhcp_server
    capture
    deb isc-dhcp-client
    printf 'send host-name "till07";\nsend vendor-class-identifier "till";\nrequest subnet-mask, routers;\n' >"$TMP/dhclient.conf"
    printf '#!/bin/sh\n[ "$new_ip_address" ] && ip addr add "$new_ip_address/16" dev eth0\nexit 0\n' >"$TMP/lease"
    chmod 755 "$TMP/lease"
    quietly 15 till07 dhclient -1 -d -q -sf "$TMP/lease" -cf "$TMP/dhclient.conf" -lf "$TMP/client-leases" -pf "$TMP/dhclient.pid" eth0 &
    local address='' n
    for ((n = 0; n < 80; n++)); do
        address=$(ip -n till07 -4 -o addr show dev eth0 | sed -n 's/.*inet \([0-9.]*\).*/\1/p')
        [[ $address ]] && break
        sleep 0.2
    done
    [[ $address ]] || die "no lease"
    tigervnc till07 5900
    tiger pc21 "$address" 5900 4 $(right)
    capture_end
    save "$FILE"
    expect 'dhcp.option.hostname == "till07"'
    expect 'dhcp.option.dhcp == 5'
}

scenario hosts/mdns hosts_mdns hosts/mdns.pcapng \
    'avahi-daemon on 10.20.0.31 announces kiosk.local and its addresses; avahi-browse on pc21 asks for services.'
hosts_mdns() {
    host kiosk 10.20.0.31
    host pc21 10.20.0.21
    deb avahi-daemon avahi-utils
    local name
    for name in kiosk pc21; do
        printf '[server]\nhost-name=%s\nuse-ipv4=yes\nuse-ipv6=no\nallow-interfaces=eth0\nenable-dbus=no\n[publish]\npublish-workstation=yes\npublish-hinfo=no\n' "$name" >"$TMP/avahi-$name.conf"
    done
    capture
    mkdir -p "$TMP/avahi-run"
    mount --bind "$TMP/avahi-run" /run/avahi-daemon 2>/dev/null || { mkdir -p /run/avahi-daemon; mount --bind "$TMP/avahi-run" /run/avahi-daemon; }
    start kiosk avahi-daemon --no-drop-root --no-chroot --no-rlimits -f "$TMP/avahi-kiosk.conf"
    sleep 6
    stop
    capture_end
    KEEP=60 save "$FILE"
    expect 'dns.resp.name == "kiosk.local"'
}

scenario hosts/netbios hosts_netbios hosts/netbios.pcapng \
    'nmbd of Samba on 10.20.0.40 registers FILES40 and announces itself in CORP; nmblookup on pc21 asks for it and for its names.'
hosts_netbios() {
    host files 10.20.0.40
    host pc21 10.20.0.21
    deb samba smbclient
    mkdir -p "$TMP/samba"/{lock,state,cache,private,pid,ncalrpc}
    cat >"$TMP/smb.conf" <<END
[global]
netbios name = FILES40
workgroup = CORP
interfaces = eth0
bind interfaces only = yes
lock directory = $TMP/samba/lock
state directory = $TMP/samba/state
cache directory = $TMP/samba/cache
private dir = $TMP/samba/private
pid directory = $TMP/samba/pid
ncalrpc dir = $TMP/samba/ncalrpc
END
    capture
    start files nmbd --foreground --no-process-group --configfile="$TMP/smb.conf" --debug-stdout
    sleep 12
    quietly 5 pc21 nmblookup --configfile="$TMP/smb.conf" -B 10.20.255.255 FILES40
    quietly 5 pc21 nmblookup --configfile="$TMP/smb.conf" -A 10.20.0.40
    capture_end
    KEEP=80 save "$FILE"
    expect 'nbns.name contains "FILES40"'
    expect 'nbdgm'
}
