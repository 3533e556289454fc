# Remote sessions that are neither VNC nor RDP: X11, XDMCP, telnet, rsh, SPICE, xpra, NX, Intel AMT.
#
# The server is web01, 10.20.0.11. Clients: pc21 (10.20.0.21, inside), stranger (203.0.113.9, the internet).

remote_lab() {
    host web01 10.20.0.11
    host pc21 10.20.0.21
    host stranger 203.0.113.9
}

# ---------------------------------------------------------------- telnet

# once HOST PORT PROGRAM...: inetd for one program that speaks on its standard input.
once() {
    local name=$1 port=$2
    shift 2
    deb openbsd-inetd
    printf '%s stream tcp nowait root %s %s\n' "$port" "$1" "$*" >"$TMP/inetd.conf"
    start "$name" inetd -i "$TMP/inetd.conf"
    listening "$name" "$port"
}

telnet_to() {   # client's host, server's port
    remote_lab
    deb inetutils-telnetd inetutils-telnet
    account visitor opensesame
    once web01 "$2" /usr/sbin/telnetd
    capture
    at "$1" sh -c "(sleep 1; echo visitor; sleep 1; echo opensesame; sleep 1; echo exit; sleep 1) | timeout 8 telnet 10.20.0.11 $2" \
        >"$TMP/telnet.log" 2>&1 || true
    capture_end
    save "$FILE"
    expect "telnet.cmd == 253" -d "tcp.port==$2,telnet"
}
scenario remote/telnet 'telnet_to pc21 23' remote/telnet.pcapng \
    'telnet on 10.20.0.21 logs in at 10.20.0.11:23 (inetutils): both sides negotiate; name and password are the lab'"'"'s.' \
    remote.telnet
scenario remote/telnet-from-internet-odd-port 'telnet_to stranger 4000' remote/telnet-from-internet-odd-port.pcapng \
    'telnet of 203.0.113.9 on the internet logs in at 10.20.0.11:4000, the port of NoMachine.' \
    remote.telnet

# ---------------------------------------------------------------- rsh and rlogin

scenario remote/rsh remote_rsh remote/rsh.pcapng \
    'rsh on 10.20.0.21 asks 10.20.0.11:514 for a command; the server answers, opens the second connection for errors, and then refuses, as it trusts nobody.' \
    remote.rsh
remote_rsh() {
    remote_lab
    deb rsh-redone-server rsh-redone-client dnsmasq-base
    answer pc21.lab.example 10.20.0.21   # the daemons ask for the client's name
    resolver
    once web01 514 /usr/sbin/in.rshd
    capture
    quietly 5 pc21 rsh-redone-rsh -l root 10.20.0.11 uname
    capture_end
    save "$FILE"
    expect 'tcp.dstport == 514 && tcp.payload contains "uname"'
}

scenario remote/rlogin remote_rlogin remote/rlogin.pcapng \
    'rlogin on 10.20.0.21 to 10.20.0.11:513: the server asks for the password, which nobody types.' \
    remote.rsh
remote_rlogin() {
    remote_lab
    deb rsh-redone-server rsh-redone-client dnsmasq-base
    answer pc21.lab.example 10.20.0.21
    resolver
    once web01 513 /usr/sbin/in.rlogind
    capture
    at pc21 sh -c 'sleep 3 | TERM=xterm timeout 3 script -qc "rsh-redone-rlogin -l root 10.20.0.11" /dev/null' >"$TMP/rlogin.log" 2>&1 || true
    capture_end
    save "$FILE"
    expect 'tcp.dstport == 513 && tcp.payload contains "xterm/"'
}

# ---------------------------------------------------------------- X11

# x_over_tcp HOST NUMBER [options]: an X server that listens on the network.
x_over_tcp() {
    local name=$1 number=$2
    shift 2
    deb xvfb x11-apps
    start "$name" Xvfb ":$number" -screen 0 320x240x16 -listen tcp -nolisten unix -nolisten local -noreset "$@"
    listening "$name" $((6000 + number))
}
x11_from() {   # the client's host, further options of the server
    local client=$1
    shift
    remote_lab
    x_over_tcp web01 7 "$@"
    capture
    quietly 2 "$client" xclock -display 10.20.0.11:7 -update 1
    capture_end
    save "$FILE"
    expect 'tcp.dstport == 6007 && tcp.payload[0:4] == 6c:00:0b:00'
}
scenario remote/x11 'x11_from pc21 -ac' remote/x11.pcapng \
    'xclock on 10.20.0.21 shows itself on the X server (Xvfb) of 10.20.0.11:6007, which lets everybody in.' \
    remote.x11
scenario remote/x11-from-internet 'x11_from stranger -ac' remote/x11-from-internet.pcapng \
    'xclock of 203.0.113.9 on the internet shows itself on the X server of 10.20.0.11:6007, which lets everybody in.' \
    remote.x11
scenario remote/x11-refused 'x11_from pc21' remote/x11-refused.pcapng \
    'xclock on 10.20.0.21 asks the X server of 10.20.0.11:6007 without authorization and is refused.' \
    remote.x11

# ---------------------------------------------------------------- XDMCP

scenario remote/xdmcp remote_xdmcp remote/xdmcp.pcapng \
    'Xephyr on 10.20.0.21 asks xdm on 10.20.0.11 for a session (UDP 177); xdm then opens X11 in clear to 10.20.0.21:6009.' \
    remote.xdmcp remote.x11
remote_xdmcp() {
    remote_lab
    deb xdm xserver-xephyr
    viewer_display
    printf 'DisplayManager.requestPort: 177\nDisplayManager.servers:\nDisplayManager.accessFile: %s\nDisplayManager.pidFile: %s\nDisplayManager.errorLogFile: %s\n' \
        "$TMP/Xaccess" "$TMP/xdm.pid" "$TMP/xdm.log" >"$TMP/xdm-config"
    printf '*\n' >"$TMP/Xaccess"
    start web01 xdm -nodaemon -config "$TMP/xdm-config"
    sleep 2
    capture
    start pc21 Xephyr :9 -screen 320x240 -query 10.20.0.11 -from 10.20.0.21 -listen tcp -once -ac
    sleep 4
    stop
    capture_end
    save "$FILE"
    expect 'xdmcp.opcode == 8'
}

# ---------------------------------------------------------------- SPICE

scenario remote/spice remote_spice remote/spice.pcapng \
    'spicy on 10.20.0.21 opens the console of an empty virtual machine of QEMU on 10.20.0.11:5930, in clear and without a ticket.' \
    remote.spice
remote_spice() {
    remote_lab
    deb qemu-system-x86 spice-client-gtk
    viewer_display
    start web01 qemu-system-x86_64 -machine pc,accel=tcg -m 32 -vga qxl -nodefaults -display none -boot n \
        -spice port=5930,addr=10.20.0.11,disable-ticketing=on
    listening web01 5930
    capture
    quietly 4 pc21 env SPICE_NOGRAB=1 spicy -h 10.20.0.11 -p 5930
    capture_end
    save "$FILE"
    expect 'tcp.payload[0:4] == 52:45:44:51'
}

# ---------------------------------------------------------------- xpra, NX, Intel AMT

scenario remote/xpra remote_xpra remote/xpra.pcapng \
    'xpra on 10.20.0.21 attaches to the session of xpra on 10.20.0.11:14500, in clear.' \
    remote.xpra
remote_xpra() {
    remote_lab
    deb xpra
    viewer_display
    export XDG_RUNTIME_DIR=$TMP/run
    mkdir -p "$XDG_RUNTIME_DIR"
    x_server web01 $((DISPLAYS + 5)) 320x240x24
    start web01 xpra shadow ":$((DISPLAYS + 5))" --bind-tcp=10.20.0.11:14500 --daemon=no --mdns=no --notifications=no --pulseaudio=no --webcam=no --printing=no --html=off
    listening web01 14500
    capture
    quietly 6 pc21 xpra attach tcp://10.20.0.11:14500/ --notifications=no --pulseaudio=no --speaker=off --microphone=off --mmap=no
    capture_end
    save "$FILE"
    expect 'tcp.dstport == 14500 && tcp.payload[0:1] == 50'
}

scenario remote/nx remote_nx remote/nx.pcapng \
    'nxproxy on 10.20.0.21 links to nxproxy on 10.20.0.11:4007 without SSH.' \
    remote.nx
remote_nx() {
    remote_lab
    deb nxproxy
    viewer_display
    start web01 nxproxy -C :7 cookie=0123456789abcdef0123456789abcdef accept=10.20.0.21
    listening web01 4007
    capture
    quietly 4 pc21 nxproxy -S 10.20.0.11:7 cookie=0123456789abcdef0123456789abcdef
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "NXPROXY-"'
}

scenario remote/amt-no-answer remote_amt remote/amt-no-answer.pcapng \
    'amtterm on 10.20.0.21 asks 10.20.0.11:16994 for the serial line; a listener (not a machine with AMT) says nothing.' \
    remote.intel_amt
remote_amt() {
    remote_lab
    deb amtterm
    start web01 nc -lk 16994
    listening web01 16994
    capture
    quietly 2 pc21 env AMT_PASSWORD=opensesame amtterm 10.20.0.11
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "SOL "'
}

# ---------------------------------------------------------------- what looks like it

# says HOST PORT OCTETS: a server that sends this to whoever comes, once.
says() {
    printf "$3" >"$TMP/says-$2"
    start "$1" sh -c "exec nc -l -N $2 <'$TMP/says-$2'"
    listening "$1" "$2"
}
# tells HOST ADDRESS PORT OCTETS [options of nc]
tells() { at "$1" sh -c "printf '$4' | timeout 2 nc ${5:--N} $2 $3" >/dev/null 2>&1 || true; }

scenario benign/remote-look-alikes look_alikes benign/remote-look-alikes.pcapng \
    'Hard: nc between 10.20.0.21 and 10.20.0.11 says what begins almost as remote control does, on its ports: a frame of MP3 on 23, syslog on 514, text on 4000, 5900, 6000 and 7000, a structure of small numbers on 4899, an unanswered query on UDP 177.'
look_alikes() {
    remote_lab
    deb netcat-openbsd
    says web01 23 '\377\373\040\144\000\017\360\000\000\151\000\000'
    says web01 514 ''
    says web01 4000 'NXD is not spoken here\n'
    says web01 5900 'REDQUEEN is not at home\n'
    says web01 6000 'l\0login: '
    says web01 7000 'FROM another time\n'
    says web01 4899 '\001\000\000\000\001\000\000\000\011\011'
    capture
    tells pc21 10.20.0.11 23 ''
    tells pc21 10.20.0.11 514 '<13>Nov 24 10:00:00 pc21 su: session opened\n'
    tells pc21 10.20.0.11 4000 'NXSH, hello?\n'
    tells pc21 10.20.0.11 5900 'hello\n'
    tells pc21 10.20.0.11 6000 'BEGIN\n'
    tells pc21 10.20.0.11 7000 'open the door, please\n'
    tells pc21 10.20.0.11 4899 '\001\000\000\000\001\000\000\000\010\011'
    tells pc21 10.20.0.11 177 '\000\001\000\002\000\001\000' '-u -w 1'
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "REDQUEEN"'
    expect 'udp.dstport == 177'
}
