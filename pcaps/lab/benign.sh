# What must stay silent: ordinary work, names that only look like a tunnel's, and other protocols on the ports of VNC and RDP.

benign_lab() {
    host pc21 10.20.0.21
    host files 10.20.0.40
    host www 198.51.100.80
    deb dnsmasq-base
}

# ---------------------------------------------------------------- the web

scenario benign/https-curl benign_https benign/https-curl.pcapng \
    'curl on 10.20.0.21 reads https://www.example.org/ and https://intranet.example.com/ (198.51.100.80:443).'
benign_https() {
    benign_lab
    deb curl openssl
    answer www.example.org 198.51.100.80
    answer intranet.example.com 198.51.100.80
    resolver
    tls_server www 443 www.example.org -www
    capture
    quietly 5 pc21 curl -sk https://www.example.org/
    quietly 5 pc21 curl -sk https://intranet.example.com/
    capture_end
    save "$FILE"
    expect 'tls.handshake.extensions_server_name == "intranet.example.com"'
}

scenario benign/http-curl benign_http benign/http-curl.pcapng \
    'curl on 10.20.0.21 reads http://www.example.org/ (198.51.100.80:80), with words like ngrok and RFB 003.008 in the path and the query.'
benign_http() {
    benign_lab
    deb curl
    answer www.example.org 198.51.100.80
    resolver
    web_server www 80
    capture
    quietly 5 pc21 curl -s 'http://www.example.org/index.html'
    quietly 5 pc21 curl -s 'http://www.example.org/docs/connect.ngrok-agent.com?q=RFB%20003.008'
    quietly 5 pc21 curl -s -H 'Referer: https://abc.ngrok-free.app/' http://www.example.org/
    capture_end
    save "$FILE"
    expect 'http.request.uri contains "ngrok-agent"'
}

scenario benign/chromium benign_chromium benign/chromium.pcapng \
    'Chromium on 10.20.0.21 opens https://www.example.org/ (198.51.100.80:443): A, AAAA and HTTPS look-ups, a large post-quantum ClientHello over two segments with ECH GREASE.'
benign_chromium() {
    benign_lab
    deb chromium openssl
    answer www.example.org 198.51.100.80
    resolver
    tls_server www 443 www.example.org -www
    capture
    quietly 8 pc21 chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update \
        --no-first-run --disable-sync --disable-default-apps --ignore-certificate-errors --user-data-dir="$TMP/chromium" --dump-dom https://www.example.org/
    capture_end
    save "$FILE"
    expect 'tls.handshake.extensions_server_name == "www.example.org"'
}

scenario benign/vendor-sites benign_vendor benign/vendor-sites.pcapng \
    'curl on 10.20.0.21 reads web sites and download hosts of vendors (ngrok.com, dashboard.ngrok.com, update.equinox.io, pagekite.net, code.visualstudio.com at 198.51.100.80:443): interest, no tunnel.'
benign_vendor() {
    benign_lab
    deb curl openssl
    local names=(ngrok.com dashboard.ngrok.com update.equinox.io pagekite.net code.visualstudio.com) name
    for name in "${names[@]}"; do answer "$name" 198.51.100.80; done
    resolver
    tls_server www 443 ngrok.com -WWW   # ends each visit with a short error page
    capture
    for name in "${names[@]}"; do quietly 2 pc21 curl -sk -m 1 "https://$name/"; done
    capture_end
    save "$FILE"
    expect 'tls.handshake.extensions_server_name == "dashboard.ngrok.com"'
}

scenario benign/look-alike-names benign_lookalike benign/look-alike-names.pcapng \
    'curl on 10.20.0.21 opens TLS to names that only look like a tunnel service (notngrok.io, ngrok.io.example.com, evil-ngrok-agent.com.example.org, connect.ngrok-agent.com.example.net, xn--ngrk-6qa.io, mybore.pub, bore.pub.example.com, notlocaltunnel.me, myloca.lt, trycloudflare.com.example.org, xargotunnel.com, fakedevtunnels.ms at 198.51.100.80:443).'
benign_lookalike() {
    benign_lab
    deb curl openssl
    local name names=(notngrok.io ngrok.io.example.com evil-ngrok-agent.com.example.org connect.ngrok-agent.com.example.net xn--ngrk-6qa.io
        mybore.pub bore.pub.example.com notlocaltunnel.me myloca.lt trycloudflare.com.example.org xargotunnel.com fakedevtunnels.ms)
    for name in "${names[@]}"; do answer "$name" 198.51.100.80; done
    resolver
    tls_server www 443 www.example.org -WWW
    capture
    for name in "${names[@]}"; do quietly 2 pc21 curl -sk -m 1.5 "https://$name/"; done
    capture_end
    KEEP_KB=90 save "$FILE"
    for name in "${names[@]}"; do expect "tls.handshake.extensions_server_name == \"$name\""; done
}

# ---------------------------------------------------------------- DNS

scenario benign/dns-types benign_dns benign/dns-types.pcapng \
    'dig and kdig on 10.20.0.21 ask 10.20.0.53 for many types (A, AAAA, HTTPS, SVCB, TXT, SRV, MX, NS, CAA, PTR, CNAME, NULL, ANY), with EDNS0 and without, over UDP and TCP; one answer is too large for UDP and comes again over TCP; some names do not exist.'
benign_dns() {
    benign_lab
    deb dnsutils knot-dnsutils
    answer www.example.org 198.51.100.80
    record 'cname=ftp.example.org,www.example.org'
    record 'mx-host=example.org,mail.example.org,10'
    record 'srv-host=_ldap._tcp.example.org,dc.example.org,389'
    record 'txt-record=example.org,"v=spf1 -all"'
    record 'caa-record=example.org,0,issue,ca.example'
    record 'ptr-record=80.100.51.198.in-addr.arpa,www.example.org'
    local n
    for n in $(seq 1 24); do record "txt-record=large.example.org,part-$n-$(printf 'x%.0s' $(seq 1 120))"; done
    resolver
    capture
    local query
    for query in 'www.example.org A' 'www.example.org AAAA' 'www.example.org HTTPS' 'www.example.org SVCB' 'example.org TXT' \
        '_ldap._tcp.example.org SRV' 'example.org MX' 'example.org NS' 'example.org CAA' '80.100.51.198.in-addr.arpa PTR' 'ftp.example.org CNAME' \
        'ftp.example.org A' 'www.example.org NULL' 'example.org ANY' 'no-such-name.example.org A' 'WwW.ExAmPlE.oRg A'; do
        quietly 3 pc21 dig +tries=1 $query
    done
    quietly 3 pc21 dig +noedns www.example.org A
    quietly 3 pc21 dig +tcp www.example.org A
    quietly 3 pc21 dig +bufsize=512 large.example.org TXT
    quietly 3 pc21 kdig +tcp +keepopen www.example.org A www.example.org AAAA
    capture_end
    save "$FILE"
    expect 'dns.flags.truncated == 1'
    expect 'tcp && dns.txt contains "part-24"'
    expect 'dns.qry.type == 65'
}

# ---------------------------------------------------------------- the ports of VNC and RDP, with something else

scenario benign/text-on-5900 benign_text benign/text-on-5900.pcapng \
    'nc on 10.20.0.21 speaks a mail server dialogue (220, EHLO, 250, ...) with nc on 10.20.0.40:5900: the server greets first, as VNC does.'
benign_text() {
    benign_lab
    deb netcat-openbsd
    mkfifo "$TMP/server"
    start files bash -c 'exec nc -l -p 5900 -q 1 <"$0"' "$TMP/server"
    exec 7>"$TMP/server"
    listening files 5900
    capture
    mkfifo "$TMP/client"
    start pc21 bash -c 'exec nc -q 1 10.20.0.40 5900 <"$0"' "$TMP/client"
    exec 8>"$TMP/client"
    sleep 0.3; printf '220 mail.example.org ESMTP\r\n' >&7
    sleep 0.2; printf 'EHLO pc21\r\n' >&8
    sleep 0.2; printf '250-mail.example.org\r\n250 HELP\r\n' >&7
    sleep 0.2; printf 'QUIT\r\n' >&8
    sleep 0.2; printf '221 Bye\r\n' >&7
    exec 7>&- 8>&-
    sleep 1.5
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "220 mail"'
    expect 'tcp.payload contains "EHLO"'
}

scenario benign/almost-rfb-on-5900 benign_almost benign/almost-rfb-on-5900.pcapng \
    'nc on 10.20.0.40:5900 greets with "RFB is not spoken here", nc on 10.20.0.21 answers "RFB 003.xyz": the first letters fit, the rest does not.'
benign_almost() {
    benign_lab
    deb netcat-openbsd
    start files bash -c 'printf "RFB is not spoken here\n" | exec nc -l -p 5900 -q 1'
    listening files 5900
    capture
    at pc21 bash -c '{ sleep 0.3; printf "RFB 003.xyz\n"; sleep 0.5; } | timeout 3 nc -q 1 10.20.0.40 5900' >/dev/null || true
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "RFB is not"'
    expect 'tcp.payload contains "RFB 003.xyz"'
}

benign_tls_on() {   # PORT
    benign_lab
    deb openssl curl
    tls_server files "$1" files.corp.example -www
    capture
    quietly 5 pc21 curl -sk "https://10.20.0.40:$1/"
    capture_end
    save "$FILE"
    expect 'tls.handshake.type == 1' -d "tcp.port==$1,tls"
}
scenario benign/tls-on-3389 'benign_tls_on 3389' benign/tls-on-3389.pcapng \
    'curl 10.20.0.21 to an HTTPS server at 10.20.0.40:3389: TLS without any RDP before it.'
scenario benign/tls-on-5900 'benign_tls_on 5900' benign/tls-on-5900.pcapng \
    'curl 10.20.0.21 to an HTTPS server at 10.20.0.40:5900: the client speaks first, in TLS.'

scenario benign/http-on-3389-from-internet benign_http_3389 benign/http-on-3389-from-internet.pcapng \
    'curl 203.0.113.9 on the internet reads a page of a web server at 10.20.0.40:3389: open to the internet, but no RDP.'
benign_http_3389() {
    benign_lab
    host stranger 203.0.113.9
    deb curl
    web_server files 3389
    capture
    quietly 5 stranger curl -s http://10.20.0.40:3389/
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "GET / HTTP/1.1"'
}

scenario benign/closed-ports-from-internet benign_closed benign/closed-ports-from-internet.pcapng \
    'nmap connect scan by 203.0.113.9 on the internet of 10.20.0.40, ports 3389, 5500, 5900, 5901, 7835: all closed, nothing is exposed.'
benign_closed() {
    benign_lab
    host stranger 203.0.113.9
    deb nmap
    capture
    quietly 10 stranger nmap -Pn -n -sT -p 3389,5500,5900,5901,7835 10.20.0.40
    capture_end
    save "$FILE"
    expect 'tcp.flags.reset == 1'
    refuse 'tcp.len > 0'
}

# ---------------------------------------------------------------- an office's other traffic

scenario benign/smb benign_smb benign/smb.pcapng \
    'smbclient 10.20.0.21 lists and fetches a file at Samba 10.20.0.40:445 (SMB 3).'
benign_smb() {
    benign_lab
    deb samba smbclient
    mkdir -p "$TMP/smb/private" "$TMP/smb/share"
    chmod 755 "$TMP" "$TMP/smb" "$TMP/smb/share"
    head -c 3000 /dev/zero | tr '\0' 'a' >"$TMP/smb/share/report.txt"
    cat >"$TMP/smb.conf" <<END
[global]
netbios name = FILES
server role = standalone server
disable netbios = yes
smb ports = 445
map to guest = bad user
private dir = $TMP/smb/private
lock directory = $TMP/smb
state directory = $TMP/smb
cache directory = $TMP/smb
pid directory = $TMP/smb
ncalrpc dir = $TMP/smb/ncalrpc
log file = $TMP/smb/log
load printers = no
disable spoolss = yes
[share]
path = $TMP/smb/share
guest ok = yes
END
    answer files 10.20.0.40   # Samba looks itself up
    resolver
    start files smbd --foreground --no-process-group --debug-stdout --configfile="$TMP/smb.conf"
    listening files 445
    capture
    quietly 8 pc21 smbclient -N --configfile="$TMP/smb.conf" -c 'ls; get report.txt /dev/null' //10.20.0.40/share
    capture_end
    save "$FILE"
    expect 'smb2.cmd == 5'
}

scenario benign/ntp-icmp benign_ntp benign/ntp-icmp.pcapng \
    'chronyd on 10.20.0.21 asks the time of chronyd at 198.51.100.80:123; ping to 10.20.0.40, and with 4000 octets (IP fragments) to 198.51.100.80.'
benign_ntp() {
    benign_lab
    deb chrony iputils-ping
    mkdir -p "$TMP/chrony"
    printf 'local stratum 3\nallow all\ncmdport 0\nbindcmdaddress /\npidfile %s\n' "$TMP/chrony/server.pid" >"$TMP/chrony/server.conf"
    printf 'server 198.51.100.80 iburst maxsamples 4\ncmdport 0\nbindcmdaddress /\npidfile %s\n' "$TMP/chrony/client.pid" >"$TMP/chrony/client.conf"
    start www chronyd -x -n -u root -f "$TMP/chrony/server.conf"
    sleep 0.5
    capture
    start pc21 chronyd -x -n -u root -f "$TMP/chrony/client.conf"
    quietly 4 pc21 ping -c 2 -i 0.2 10.20.0.40
    quietly 4 pc21 ping -c 2 -i 0.2 -s 4000 198.51.100.80   # in fragments
    sleep 4
    capture_end
    save "$FILE"
    expect 'ntp.flags.mode == 4'
    expect 'icmp.type == 0'
    expect 'ip.flags.mf == 1'
}

# ---------------------------------------------------------------- SSDP

scenario benign/ssdp benign_ssdp benign/ssdp.pcapng \
    'upnpc on 10.20.0.21 searches for a router by SSDP (M-SEARCH to 239.255.255.250:1900): nobody answers.'
benign_ssdp() {
    benign_lab
    deb miniupnpc
    at pc21 ip route add 239.0.0.0/8 dev eth0
    capture
    quietly 8 pc21 upnpc -l
    capture_end
    save "$FILE"
    expect 'udp.dstport == 1900 && udp.payload contains "M-SEARCH"'
}
