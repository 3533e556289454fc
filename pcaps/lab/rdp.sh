# RDP: xrdp (no NLA), FreeRDP's shadow server (real NLA), and several clients.
#
# The server is term01, 10.20.0.31. Clients: pc21 (10.20.0.21, inside), stranger (203.0.113.9, the internet).
# xrdp's own log-in screen is a session as far as the wire goes; no desktop is needed behind it.

rdp_lab() {
    host term01 10.20.0.31
    host pc21 10.20.0.21
    host stranger 203.0.113.9
    viewer_display
}

# xrdp HOST PORT SECURITY-LAYER (rdp, tls, negotiate): own configuration, own certificate (Debian's names the machine).
xrdp() {
    local name=$1 port=$2 layer=$3
    deb xrdp
    certificate "$name" "$name.corp.example"
    sed -e "s/^port=3389/port=$port/" -e "s/^security_layer=.*/security_layer=$layer/" -e 's/^fork=.*/fork=false/' \
        -e "s/^crypt_level=.*/crypt_level=${CRYPT_LEVEL:-high}/" \
        -e "s#^certificate=.*#certificate=$TMP/$name.crt#" -e "s#^key_file=.*#key_file=$TMP/$name.key#" \
        -e "s#^LogFile=.*#LogFile=$TMP/xrdp.log#" -e 's/^EnableSyslog=.*/EnableSyslog=false/' \
        -e 's/^ls_title=.*//' /etc/xrdp/xrdp.ini >"$TMP/xrdp.ini"
    mkdir -p /run/xrdp
    start "$name" xrdp --nodaemon --config "$TMP/xrdp.ini"
    listening "$name" "$port"
}

# shadow HOST PORT [options]: shares a small X display; accounts are in a SAM file.
shadow() {
    local name=$1 port=$2
    shift 2
    deb freerdp2-shadow-x11 xvfb
    winpr-hash -u alice -p secret12 -f sam >"$TMP/sam"
    x_server "$name" $((DISPLAYS + 1)) 640x480x24
    start "$name" env "DISPLAY=:$((DISPLAYS + 1))" freerdp-shadow-cli "/port:$port" "/sam-file:$TMP/sam" "$@"
    listening "$name" "$port"
}

# freerdp HOST SERVER PORT SECONDS PASSWORD [options]
freerdp() {
    local name=$1 server=$2 port=$3 seconds=$4 password=$5
    shift 5
    deb freerdp2-x11
    start "$name" xfreerdp "/v:$server:$port" /u:alice "/p:$password" /cert:ignore /size:640x480 /bpp:16 /log-level:INFO "$@"
    sleep "$seconds"
    stop
}

# The Confirm's last eight octets: 02 fl 08 00 PROTOCOL (u32), or 03 fl 08 00 FAILURE.
selected() { expect "tcp.payload[5] == d0 && tcp.payload[11] == 02 && tcp.payload[15] == 0$1"; }
failed() { expect "tcp.payload[5] == d0 && tcp.payload[11] == 03 && tcp.payload[15] == 0$1"; }

# ---------------------------------------------------------------- xrdp

rdp_xrdp() {   # CLIENT PORT LAYER SECONDS [client options]
    local client=$1 port=$2 layer=$3 seconds=$4
    shift 4
    rdp_lab
    xrdp term01 "$port" "$layer"
    capture
    freerdp "$client" 10.20.0.31 "$port" "$seconds" secret12 "$@"
    capture_end
    save "$FILE"
}

scenario rdp/xrdp-tls 'rdp_xrdp pc21 3389 tls 2 /sec:tls; selected 1' rdp/xrdp-tls.pcapng \
    'FreeRDP 10.20.0.21 asks xrdp 10.20.0.31:3389 for TLS and gets it: the log-in screen without NLA.' \
    rdp.session rdp.no_nla
scenario rdp/xrdp-tls-from-internet 'rdp_xrdp stranger 3389 tls 2 /sec:tls; selected 1' rdp/xrdp-tls-from-internet.pcapng \
    'FreeRDP 203.0.113.9 on the internet to xrdp 10.20.0.31:3389, TLS without NLA.' \
    rdp.session rdp.no_nla rdp.exposed
scenario rdp/xrdp-tls-port-33890 'rdp_xrdp pc21 33890 tls 2 /sec:tls; selected 1' rdp/xrdp-tls-port-33890.pcapng \
    'FreeRDP 10.20.0.21 to xrdp 10.20.0.31:33890, TLS without NLA.' \
    rdp.session rdp.no_nla rdp.odd_port
scenario rdp/xrdp-tls-port-443-from-internet 'rdp_xrdp stranger 443 tls 2 /sec:tls; selected 1' rdp/xrdp-tls-port-443-from-internet.pcapng \
    'RDP where HTTPS belongs: FreeRDP 203.0.113.9 on the internet to xrdp 10.20.0.31:443, TLS without NLA.' \
    rdp.session rdp.no_nla rdp.exposed rdp.odd_port
scenario rdp/xrdp-default 'rdp_xrdp pc21 3389 negotiate 2; selected 1' rdp/xrdp-default.pcapng \
    'FreeRDP 10.20.0.21 asks for TLS and NLA (3), xrdp 10.20.0.31:3389 negotiates and selects TLS.' \
    rdp.session rdp.no_nla
scenario rdp/xrdp-rdp-security 'CRYPT_LEVEL=none; rdp_xrdp pc21 3389 rdp 2 /sec:rdp' rdp/xrdp-rdp-security.pcapng \
    'FreeRDP 10.20.0.21 with /sec:rdp sends a cookie and no negotiation; xrdp 10.20.0.31:3389 confirms, and MCS goes on in clear (client name pc21). Encryption level none: all of it is readable.' \
    rdp.session rdp.no_nla
scenario rdp/xrdp-rdp-security-from-internet 'rdp_xrdp stranger 3389 rdp 2 /sec:rdp' rdp/xrdp-rdp-security-from-internet.pcapng \
    'FreeRDP 203.0.113.9 on the internet with /sec:rdp to xrdp 10.20.0.31:3389: no negotiation, MCS in clear, standard RDP security; xrdp ends it after the client info (FreeRDP 2 and xrdp disagree on the checksum).' \
    rdp.session rdp.no_nla rdp.exposed
scenario rdp/xrdp-rdp-security-selected 'rdp_xrdp pc21 3389 rdp 3; selected 0' rdp/xrdp-rdp-security-selected.pcapng \
    'FreeRDP 10.20.0.21 asks for TLS and NLA (3), xrdp 10.20.0.31:3389 that knows only standard RDP security selects 0; MCS in clear; xrdp ends it after the client info (FreeRDP 2 and xrdp disagree on the checksum).' \
    rdp.session rdp.no_nla
scenario rdp/xrdp-demands-tls 'rdp_xrdp pc21 3389 tls 2 /sec:rdp' rdp/xrdp-demands-tls.pcapng \
    'Hard: FreeRDP 10.20.0.21 with /sec:rdp (no negotiation) at xrdp 10.20.0.31:3389 that demands TLS. xrdp sends no failure: it confirms without negotiation, and ends it with an MCS disconnect after the MCS Connect Initial. No session came to be.' \
    rdp.no_nla
scenario rdp/xrdp-has-no-nla 'rdp_xrdp stranger 3389 tls 2 /sec:nla; selected 1' rdp/xrdp-has-no-nla-from-internet.pcapng \
    'FreeRDP 203.0.113.9 on the internet with /sec:nla (it asks for 3) at xrdp 10.20.0.31:3389, which has no NLA and selects TLS; the client goes, and a lone TLS alert of the server follows.' \
    rdp.exposed rdp.no_nla

scenario rdp/outbound rdp_outbound rdp/outbound.pcapng \
    'FreeRDP 10.20.0.21 inside to xrdp 198.51.100.90:3389 on the internet, TLS without NLA.' \
    rdp.session rdp.no_nla rdp.outbound
rdp_outbound() {
    rdp_lab
    host hoster 198.51.100.90
    xrdp hoster 3389 tls
    capture
    freerdp pc21 198.51.100.90 3389 2 secret12 /sec:tls
    capture_end
    save "$FILE"
    selected 1
}

scenario rdp/rdesktop 'rdp_rdesktop tls' rdp/rdesktop.pcapng \
    'rdesktop 10.20.0.21 to xrdp 10.20.0.31:3389, TLS.' \
    rdp.session rdp.no_nla
scenario rdp/rdesktop-rdp-security 'rdp_rdesktop rdp' rdp/rdesktop-rdp-security.pcapng \
    'rdesktop 10.20.0.21 to xrdp 10.20.0.31:3389 that knows only standard RDP security.' \
    rdp.session rdp.no_nla
rdp_rdesktop() {
    rdp_lab
    deb rdesktop
    xrdp term01 3389 "$1"
    capture
    printf 'yes\nyes\nyes\n' >"$TMP/yes"   # it asks whether the certificate is trusted
    at pc21 timeout 4 rdesktop -u alice -p secret12 -g 640x480 -a 16 10.20.0.31 <"$TMP/yes" >"$TMP/rdesktop.log" 2>&1 || true
    capture_end
    save "$FILE"
}

# ---------------------------------------------------------------- NLA

rdp_nla() {   # CLIENT PORT PASSWORD
    rdp_lab
    shadow term01 "$2" /sec:nla
    capture
    freerdp "$1" 10.20.0.31 "$2" 4 "$3" /sec:nla
    capture_end
    save "$FILE"
    selected 2
}
scenario rdp/nla 'rdp_nla pc21 3389 secret12' rdp/nla.pcapng \
    'FreeRDP 10.20.0.21 to the FreeRDP shadow server 10.20.0.31:3389 with NLA, right password.' \
    rdp.session
scenario rdp/nla-wrong-password 'rdp_nla pc21 3389 guessed1' rdp/nla-wrong-password.pcapng \
    'FreeRDP 10.20.0.21 to the FreeRDP shadow server 10.20.0.31:3389 with NLA, wrong password: CredSSP inside TLS ends early. Both sides went on with TLS, so it counts as a session.' \
    rdp.session
scenario rdp/nla-from-internet 'rdp_nla stranger 3389 secret12' rdp/nla-from-internet.pcapng \
    'FreeRDP 203.0.113.9 on the internet to the FreeRDP shadow server 10.20.0.31:3389 with NLA, right password.' \
    rdp.session rdp.exposed
scenario rdp/nla-wrong-password-from-internet-port-33890 'rdp_nla stranger 33890 guessed1' rdp/nla-wrong-password-from-internet-port-33890.pcapng \
    'FreeRDP 203.0.113.9 on the internet to the FreeRDP shadow server 10.20.0.31:33890 with NLA, wrong password; both sides went on with TLS.' \
    rdp.session rdp.exposed rdp.odd_port

scenario rdp/nla-demanded 'rdp_nla_demanded pc21' rdp/nla-demanded.pcapng \
    'FreeRDP 10.20.0.21 asks only for TLS (1) at the FreeRDP shadow server 10.20.0.31:3389 that demands NLA: failure 5, HYBRID_REQUIRED_BY_SERVER.'
scenario rdp/nla-demanded-from-internet 'rdp_nla_demanded stranger' rdp/nla-demanded-from-internet.pcapng \
    'FreeRDP 203.0.113.9 on the internet asks only for TLS (1) at the FreeRDP shadow server 10.20.0.31:3389 that demands NLA: failure 5, but the server answers strangers.' \
    rdp.exposed
rdp_nla_demanded() {
    rdp_lab
    shadow term01 3389 /sec:nla
    capture
    freerdp "$1" 10.20.0.31 3389 2 secret12 /sec:tls
    capture_end
    save "$FILE"
    failed 5
}

# ---------------------------------------------------------------- probes and guessing

scenario rdp/nmap-version-from-internet rdp_nmap_version rdp/nmap-version-from-internet.pcapng \
    'nmap -sV on 203.0.113.9 at xrdp 10.20.0.31:3389: a connection that waits for a greeting, one that gets a Confirm and goes, and a bare TLS hello that xrdp answers with an MCS disconnect.' \
    rdp.exposed rdp.no_nla
rdp_nmap_version() {
    rdp_lab
    deb nmap
    xrdp term01 3389 negotiate
    capture
    quietly 40 stranger nmap -Pn -n -sV --version-intensity 0 -p 3389 10.20.0.31
    capture_end
    save "$FILE"
}

scenario rdp/nmap-enum-encryption-from-internet rdp_nmap_enum rdp/nmap-enum-encryption-from-internet.pcapng \
    'nmap --script rdp-enum-encryption on 203.0.113.9 at xrdp 10.20.0.31:3389: one connection per protocol and cipher, cookie "nmap".' \
    rdp.exposed rdp.no_nla rdp.session
rdp_nmap_enum() {
    rdp_lab
    deb nmap
    xrdp term01 3389 negotiate
    capture
    quietly 40 stranger nmap -Pn -n -p 3389 --script rdp-enum-encryption 10.20.0.31
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "mstshash=nmap"'
}

scenario rdp/impacket-rdp-check rdp_impacket rdp/impacket-rdp-check.pcapng \
    'impacket rdp_check on 10.20.0.21 tries an account with NLA at the FreeRDP shadow server 10.20.0.31:3389; its request has no cookie.' \
    rdp.session
rdp_impacket() {
    rdp_lab
    made_with "impacket (PyPI) $(pip_version impacket)"
    shadow term01 3389 /sec:nla
    capture
    quietly 10 pc21 "$TOOLS/py/bin/python" "$TOOLS/py/bin/rdp_check.py" corp/alice:guessed1@10.20.0.31
    capture_end
    save "$FILE"
    refuse 'tcp.payload contains "mstshash"'
}

scenario rdp/hydra-from-internet rdp_hydra rdp/hydra-from-internet.pcapng \
    'hydra on 203.0.113.9 tries three passwords with NLA at the FreeRDP shadow server 10.20.0.31:3389, all wrong; each went on with TLS.' \
    rdp.exposed rdp.session
rdp_hydra() {
    rdp_lab
    deb hydra
    shadow term01 3389 /sec:nla
    printf '%s\n' 123456 password letmein >"$TMP/words"
    capture
    quietly 30 stranger hydra -t 1 -W 1 -l administrator -P "$TMP/words" rdp://10.20.0.31
    capture_end
    save "$FILE"
}

# ---------------------------------------------------------------- the same through other links, addresses and files

scenario rdp/vlan rdp_vlan rdp/vlan.pcapng \
    'The trunk of a switch: all frames carry 802.1Q tag 130. FreeRDP 10.20.0.21 to xrdp 10.20.0.31:3389, TLS without NLA.' \
    rdp.session rdp.no_nla
rdp_vlan() {
    host_on_vlan term01 10.20.0.31 130
    host_on_vlan pc21 10.20.0.21 130
    viewer_display
    xrdp term01 3389 tls
    capture_on router trunk
    freerdp pc21 10.20.0.31 3389 2 secret12 /sec:tls
    capture_end
    save "$FILE"
    expect 'vlan.id == 130'
    selected 1
}

scenario rdp/pcapng-zstd 'rdp_xrdp pc21 3389 tls 2 /sec:tls; selected 1' rdp/pcapng-zstd.pcapng.zst \
    'A pcapng packed with zstd: FreeRDP 10.20.0.21 to xrdp 10.20.0.31:3389, TLS without NLA.' \
    rdp.session rdp.no_nla
