# The lab: a small internet in network namespaces. Sourced by `make`, once per scenario.
#
#   inside 10.20.0.0/16 ──┐                    ┌── 198.51.100.0/24  internet: services, vendors
#   inside fd00:20::/64 ──┤ bridge ─ router ───┤── 203.0.113.0/24   internet: strangers, attackers
#                         │  in   ^            └── 2001:db8::/32
#              dnsmasq 10.20.0.53 |
#                                 └ the capture sits on bridge `in`: it sees inside<->inside and inside<->internet,
#                                   each packet once.
#
# `make` runs a scenario under `unshare --mount --net --uts --ipc --pid`, so names of namespaces, X displays and
# processes of two scenarios never meet, and whatever a crash leaves behind ends with the pid namespace.

shopt -s inherit_errexit
set -Eeuo pipefail

TOOLS=${TERRIER_LAB_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/terrier-lab}   # pip, npm and cargo packages
TMP=$(mktemp -d)
PIDS=()
STARTED=
CAPTURE=
export HOME=$TMP/home
mkdir -p "$HOME" "$TMP/raw"

say() { printf '  %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# ---------------------------------------------------------------- the end: every pid, every namespace, the folder

lab_end() {
    local status=$? pid ns
    set +e
    if ((${#PIDS[@]})); then
        for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null; done
        sleep 0.2
        for pid in "${PIDS[@]}"; do kill -9 "$pid" 2>/dev/null; done
        wait 2>/dev/null   # bash else reports each on the way out
    fi
    for ns in $(ip netns list | cut -d' ' -f1); do ip netns del "$ns"; done
    if ((status)) && [[ ${LAB_KEEP_LOGS:-} ]]; then mkdir -p "$LAB_KEEP_LOGS"; cp -r "$TMP"/*.log "$LAB_KEEP_LOGS"/ 2>/dev/null; fi
    rm -rf "$TMP"
    exit "$status"
}
trap lab_end EXIT
trap 'exit 130' INT TERM

# ---------------------------------------------------------------- hosts

# A mac made from the address: the same in every run.
mac_of() {
    if [[ $1 == *:* ]]; then printf '02:06:%s' "$(printf '%s' "$1" | md5sum | sed 's/\(..\)\(..\)\(..\)\(..\).*/\1:\2:\3:\4/')"
    else printf '02:00:%02x:%02x:%02x:%02x' ${1//./ }; fi
}

# Offloads off: else the capture shows segments of 64 kB and check sums that were never computed.
# tx-checksum also stops veth from handing unsummed packets on.
plain_veth() { ethtool -K "$1" tx off rx off tso off gso off gro off sg off >/dev/null 2>&1 || true; }

lab_begin() {
    ip link set lo up
    ip netns add router
    in_ns router ip link set lo up
    local bridge
    for bridge in in out; do
        in_ns router ip link add "$bridge" type bridge mcast_snooping 0
        in_ns router sysctl -qw "net.ipv6.conf.$bridge.disable_ipv6=1"
    done
    in_ns router ip link set in address 02:00:0a:14:00:01 up
    in_ns router ip link set out address 02:00:c6:33:64:01 up
    in_ns router ip addr add 10.20.0.1/16 dev in
    in_ns router ip addr add 198.51.100.1/24 dev out
    in_ns router ip addr add 203.0.113.1/24 dev out
    in_ns router sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.in.send_redirects=0
    host dns 10.20.0.53
    printf 'nameserver 10.20.0.53\noptions timeout:1 attempts:1\n' >"$TMP/resolv.conf"
    mount --bind "$TMP/resolv.conf" /etc/resolv.conf
    printf '127.0.0.1 localhost\n' >"$TMP/hosts"
    mount --bind "$TMP/hosts" /etc/hosts
}

in_ns() { ip netns exec "$@"; }

# IPv6 is off unless a scenario asks, so that no router solicitation stands in a capture about IPv4.
lab_ipv6() {
    local bridge
    for bridge in in out; do
        in_ns router sysctl -qw "net.ipv6.conf.$bridge.disable_ipv6=0" "net.ipv6.conf.$bridge.accept_dad=0" \
            "net.ipv6.conf.$bridge.router_solicitations=0"
    done
    in_ns router ip addr add fd00:20::1/64 dev in nodad
    in_ns router ip addr add 2001:db8::1/64 dev out nodad
    in_ns router sysctl -qw net.ipv6.conf.all.forwarding=1
    sleep 2   # until the bridges' link-local addresses are no longer tentative: before, the router asks for no neighbour
}

# host NAME ADDRESS: a namespace of that name with the address, on the right bridge, with the router as gateway.
host() {
    local name=$1 address=$2 bridge gateway bits
    case $address in
        10.20.*) bridge=in gateway=10.20.0.1 bits=16 ;;
        198.51.100.*) bridge=out gateway=198.51.100.1 bits=24 ;;
        203.0.113.*) bridge=out gateway=203.0.113.1 bits=24 ;;
        fd00:20:*) bridge=in gateway=fd00:20::1 bits=64 ;;
        2001:db8:*) bridge=out gateway=2001:db8::1 bits=64 ;;
        *) die "no network for $address" ;;
    esac
    ip netns add "$name"
    ip -n "$name" link set lo up
    ip -n "$name" link add eth0 address "$(mac_of "$address")" type veth peer name "p-$name" netns router
    in_ns "$name" bash -c "$(declare -f plain_veth); plain_veth eth0"
    in_ns router bash -c "$(declare -f plain_veth); plain_veth 'p-$name'"
    in_ns router sysctl -qw "net.ipv6.conf.p-$name.disable_ipv6=1"
    if [[ $address == *:* ]]; then in_ns "$name" sysctl -qw net.ipv6.conf.eth0.accept_dad=0 net.ipv6.conf.eth0.router_solicitations=0
    else in_ns "$name" sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1; fi
    in_ns router ip link set "p-$name" master "$bridge" up
    ip -n "$name" link set eth0 up
    if [[ $address == *:* ]]; then ip -n "$name" addr add "$address/$bits" dev eth0 nodad
    else ip -n "$name" addr add "$address/$bits" dev eth0; fi
    ip -n "$name" route add default via "$gateway"
    printf '%s %s\n' "$address" "$name" >>"$TMP/own-names"
}

# ---------------------------------------------------------------- programs

# at HOST PROGRAM...: run there and wait. The UTS namespace carries the host's name, because VNC and RDP announce it.
at() {
    local name=$1
    shift
    ip netns exec "$name" unshare --uts sh -c 'hostname "$0"; exec "$@"' "$name" "$@"
}

# start HOST PROGRAM...: run there in the background; its pid is in $STARTED (every step is an exec, so it is the program's own).
# A session of its own: smbd ends its whole process group, which else is ours.
start() {
    local name=$1 log
    shift
    log=$TMP/${#PIDS[@]}-$name.log
    : >"$log"
    setsid ip netns exec "$name" unshare --uts sh -c 'hostname "$0"; exec "$@"' "$name" "$@" </dev/null >"$log" 2>&1 &
    STARTED=$!
    LOG=$log
    PIDS+=("$STARTED")
}

# quietly SECONDS HOST PROGRAM...: run for at most so long; a bad end is part of many scenarios and no error.
quietly() {
    local seconds=$1 name=$2
    shift 2
    at "$name" timeout "$seconds" "$@" </dev/null >"$TMP/quiet-$((++QUIET)).log" 2>&1 || true
}
QUIET=0

stop() {
    local pid=${1:-$STARTED} n
    kill "$pid" 2>/dev/null || true
    for n in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
}

# listening HOST PORT: wait for a TCP listener without sending it a packet.
listening() {
    local n
    for ((n = 0; n < 100; n++)); do
        if [[ $(in_ns "$1" ss -Hltn "sport = :$2") ]]; then return 0; fi
        sleep 0.1
    done
    die "nothing listens on $1 port $2: $(tail -n 5 "$LOG")"
}

# connected HOST PORT: wait until a connection with that port (either end) is established.
connected() {
    local n
    for ((n = 0; n < 100; n++)); do
        if [[ $(in_ns "$1" ss -Htn state established "( sport = :$2 or dport = :$2 )") ]]; then return 0; fi
        sleep 0.1
    done
    say "note: no connection with port $2 at $1"
}

# ---------------------------------------------------------------- names

# answer NAME ADDRESS [ADDRESS]: what the resolver says; all other names do not exist.
answer() { printf "host-record=$1,%s\n" "${@:2}" >>"$TMP/dnsmasq.conf"; }
record() { printf '%s\n' "$*" >>"$TMP/dnsmasq.conf"; }   # any other line of dnsmasq.conf

resolver() {
    printf 'no-resolv\nno-hosts\nlocal=/#/\nkeep-in-foreground\nuser=root\nport=53\nlocal-ttl=60\nedns-packet-max=4096\n' >>"$TMP/dnsmasq.conf"
    start dns dnsmasq --conf-file="$TMP/dnsmasq.conf" --pid-file="$TMP/dnsmasq.pid"
    listening dns 53
}

# ---------------------------------------------------------------- stand-in servers

# certificate FILE-STEM NAME: self-signed, also for Xvnc and xrdp.
certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj "/CN=$2" -addext "subjectAltName=DNS:$2" \
        -keyout "$TMP/$1.key" -out "$TMP/$1.crt" 2>/dev/null
}

# trusted_certificate NAME: for clients that demand a CA above the certificate (rustls does); the CA is $TMP/ca.crt.
trusted_certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj '/CN=Lab CA' -keyout "$TMP/ca.key" -out "$TMP/ca.crt" 2>/dev/null
    openssl req -new -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$TMP/$1.key" -out "$TMP/$1.csr" 2>/dev/null
    openssl x509 -req -in "$TMP/$1.csr" -CA "$TMP/ca.crt" -CAkey "$TMP/ca.key" -CAcreateserial -days 90 \
        -extfile <(printf 'subjectAltName=DNS:%s\nbasicConstraints=CA:FALSE\n' "$1") -out "$TMP/$1.crt" 2>/dev/null
}

# tls_server HOST PORT NAME [openssl s_server options]: any TLS service we cannot reach; it takes every SNI.
tls_server() {
    local name=$1 port=$2 subject=$3
    shift 3
    [[ -e $TMP/$subject.crt ]] || certificate "$subject" "$subject"
    start "$name" openssl s_server -accept "$port" -cert "$TMP/$subject.crt" -key "$TMP/$subject.key" -quiet "$@"
    listening "$name" "$port"
}

# web_server HOST PORT: plain HTTP with one small page.
web_server() {
    mkdir -p "$TMP/www"
    printf '<!doctype html><title>Welcome</title><p>It works.\n' >"$TMP/www/index.html"
    start "$1" python3 -m http.server --directory "$TMP/www" "$2"
    listening "$1" "$2"
}

# X displays. X keeps its lock files in /tmp, which scenarios share: each scenario has ten numbers of its own.
DISPLAYS=$((100 + 10 * INDEX))
DESKTOP=$DISPLAYS   # the number of the latest server's display

# x_server HOST NUMBER GEOMETRY: a display without network.
x_server() {
    local n
    start "$1" Xvfb ":$2" -screen 0 "$3" -nolisten tcp -noreset
    for ((n = 0; n < 100; n++)); do
        if [[ -S /tmp/.X11-unix/X$2 ]] && xdpyinfo -display ":$2" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    die "no X display :$2: $(tail -n 3 "$LOG")"
}

# A display for viewers. X's socket is a path here, so one display serves the viewers of all hosts.
viewer_display() {
    ip netns add screen
    x_server screen "$DISPLAYS" 800x600x24
    export DISPLAY=:$DISPLAYS
}

# account NAME PASSWORD: a log-in that exists only in this scenario's mount namespace.
account() {
    cp /etc/passwd "$TMP/passwd"; cp /etc/shadow "$TMP/shadow"
    printf '%s:x:2001:2001::%s:/bin/sh\n' "$1" "$TMP/home" >>"$TMP/passwd"
    printf '%s:%s:20000:0:99999:7:::\n' "$1" "$(openssl passwd -6 "$2")" >>"$TMP/shadow"
    chmod 755 "$TMP" "$TMP/home"
    mount --bind "$TMP/passwd" /etc/passwd
    mount --bind "$TMP/shadow" /etc/shadow
}

# ---------------------------------------------------------------- capture

# capture_on HOST INTERFACE [tcpdump options]: --immediate-mode, else the last second is lost.
# Not in the capture: ARP is kept (it is real), but not the bridge's own chatter.
capture_on() {
    local name=$1 interface=$2
    shift 2
    start "$name" tcpdump -i "$interface" --immediate-mode -U -n -w "$TMP/raw/capture.pcap" "$@"
    CAPTURE=$STARTED
    local n
    for ((n = 0; n < 50; n++)); do grep -q 'listening on' "$LOG" && break; sleep 0.1; done
}
capture() { capture_on router in "$@"; }

capture_end() {
    sleep 0.5
    kill -INT "$CAPTURE"
    wait "$CAPTURE" || true
}

# save FILE: to pcapng, not more than $KEEP packets nor $KEEP_KB, as the file that the scenario delivers.
# A long desktop session is cut at its tail: handshakes come first.
save() {
    local raw=$TMP/raw/capture.pcap file=$OUT/$1 keep=${KEEP:-} limit=$((${KEEP_KB:-58} * 1000))
    mkdir -p "$(dirname "$file")"
    [[ $keep ]] || keep=$(capinfos -cTrM "$raw" | cut -f2)
    ((keep)) || die "nothing was captured: $(tail -qn 3 "$TMP"/*.log)"
    while editcap -F "${FORMAT:-pcapng}" -r "$raw" "$TMP/raw/cut" 1-"$keep" && (($(stat -c %s "$TMP/raw/cut") > limit)); do
        keep=$((keep * 9 / 10))
    done
    case $1 in
        *.gz) gzip -9nc "$TMP/raw/cut" >"$file" ;;
        *.zst) zstd -19 -q -c "$TMP/raw/cut" >"$file" ;;
        *) cp "$TMP/raw/cut" "$file" ;;
    esac
}

# ---------------------------------------------------------------- does the capture show what it claims

# expect FILTER [tshark options]: at least one packet matches. refuse: none does.
matches() { local filter=$1; shift; tshark -n -r "$TMP/raw/cut" -Y "$filter" "$@" 2>/dev/null | wc -l; }
expect() { (($(matches "$@"))) || die "$FILE: nothing matches '$1'"; }
refuse() { ! (($(matches "$@"))) || die "$FILE: something matches '$1'"; }

# ---------------------------------------------------------------- made_with

made_with() { printf '%s\n' "$@" >>"$TMP/made-with"; }
deb() { local p; for p in "$@"; do made_with "$p $(dpkg-query -W -f '${Version}' "$p" | sed 's/^[0-9]*://; s/[-+].*//')"; done; }
pip_version() { "$TOOLS/py/bin/python" -m pip show "$1" 2>/dev/null | sed -n 's/^Version: //p'; }
npm_version() { node -p "require('$TOOLS/node/node_modules/$1/package.json').version"; }

# ssh_server HOST PORT: OpenSSH with a throw-away host key. No StrictModes: the keys lie below /tmp.
ssh_server() {
    [[ -e $TMP/ssh_host_key ]] || ssh-keygen -q -t ed25519 -N '' -C '' -f "$TMP/ssh_host_key"
    mkdir -p /run/sshd
    start "$1" /usr/sbin/sshd -D -e -f /dev/null -h "$TMP/ssh_host_key" -p "$2" -o PidFile=none -o UsePAM=no -o StrictModes=no -o AuthorizedKeysFile="$TMP/authorized_keys"
    listening "$1" "$2"
}

# ---------------------------------------------------------------- other links

# host_on_vlan NAME 10.20.x.y VLAN: a host behind an access port; the frames on bridge `trunk` of the router are tagged.
host_on_vlan() {
    local name=$1 address=$2 vlan=$3 n
    if ! in_ns router ip link show trunk >/dev/null 2>&1; then
        in_ns router ip link add trunk type bridge mcast_snooping 0
        in_ns router sysctl -qw net.ipv6.conf.trunk.disable_ipv6=1
        in_ns router ip link set trunk up
    fi
    ip netns add "$name"
    start router python3 "$HERE/vlan-port.py" "$name" "$vlan" "$(mac_of "$address")" "t-$name"
    for ((n = 0; n < 50; n++)); do grep -q ready "$LOG" && break; sleep 0.1; done
    in_ns router sysctl -qw "net.ipv6.conf.t-$name.disable_ipv6=1"
    in_ns "$name" sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
    in_ns router ip link set "t-$name" mtu 1504 master trunk up
    in_ns router ip link set trunk mtu 1504
    ip -n "$name" link set lo up
    ip -n "$name" link set eth0 up
    ip -n "$name" addr add "$address/16" dev eth0
}
