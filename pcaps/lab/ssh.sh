# SSH: clients and servers of several makers, on usual and unusual ports; forwarding; a server that dials out.

ssh_lab() {
    host pc21 10.20.0.21
    host files 10.20.0.40
    host vps 198.51.100.60
    host stranger 203.0.113.9
    account alice secret12
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$TMP/key"
    cp "$TMP/key.pub" "$TMP/authorized_keys"
    chmod 644 "$TMP/authorized_keys"
}

# Options of OpenSSH's client: our key, no questions.
OPENSSH=(-F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null)

scenario ssh/openssh-inside 'openssh files 10.20.0.40 22' ssh/openssh-inside.pcapng \
    'OpenSSH client 10.20.0.21 logs in at OpenSSH 10.20.0.40:22 with a key and runs a command.' \
    ssh.session
scenario ssh/openssh-outbound 'openssh vps 198.51.100.60 22' ssh/openssh-outbound.pcapng \
    'OpenSSH client 10.20.0.21 logs in at OpenSSH on the internet, port 22, with a key and runs a command.' \
    ssh.session
scenario ssh/openssh-port-443 'openssh vps 198.51.100.60 443' ssh/openssh-port-443.pcapng \
    'OpenSSH client 10.20.0.21 logs in at OpenSSH 198.51.100.60:443 on the internet and runs a command.' \
    ssh.session ssh.odd_port
openssh() {   # SERVER ADDRESS PORT
    ssh_lab
    deb openssh-client openssh-server
    ssh_server "$1" "$3"
    capture
    quietly 8 pc21 ssh "${OPENSSH[@]}" -i "$TMP/key" -p "$3" "alice@$2" 'ls /usr; sleep 1; uptime'
    capture_end
    save "$FILE"
    expect "tcp.srcport == $3 && tcp.payload contains \"SSH-2.0-OpenSSH\""
}

scenario ssh/dropbear-port-80 dropbear_80 ssh/dropbear-port-80.pcapng \
    'dbclient (Dropbear) 10.20.0.21 logs in at Dropbear 10.20.0.40:80 with a key and runs a command.' \
    ssh.session ssh.odd_port
dropbear_80() {
    ssh_lab
    deb dropbear-bin
    mkdir -p "$HOME/.ssh"
    dropbearkey -t ed25519 -f "$TMP/dropbear.host" >/dev/null 2>&1
    dropbearkey -t ed25519 -f "$TMP/dropbear.key" 2>/dev/null | grep '^ssh-' >"$HOME/.ssh/authorized_keys"
    chown -R 2001 "$HOME"
    start files dropbear -F -E -r "$TMP/dropbear.host" -p 80 -P "$TMP/dropbear.pid"
    listening files 80
    capture
    quietly 8 pc21 dbclient -y -y -i "$TMP/dropbear.key" -p 80 alice@10.20.0.40 'ls /usr; sleep 1'
    capture_end
    save "$FILE"
    expect 'tcp.srcport == 80 && tcp.payload contains "SSH-2.0-dropbear"'
}

scenario ssh/plink-from-internet plink_inbound ssh/plink-from-internet.pcapng \
    'plink (PuTTY) 203.0.113.9 on the internet logs in at OpenSSH 10.20.0.40:22 with a password and runs a command.' \
    ssh.session
plink_inbound() {
    ssh_lab
    deb putty-tools openssh-server
    ssh_server files 22
    capture
    quietly 8 stranger plink -batch -ssh -pw secret12 -hostkey "$(ssh-keygen -lf "$TMP/ssh_host_key.pub" | cut -d' ' -f2)" alice@10.20.0.40 'ls /usr; sleep 1'
    capture_end
    save "$FILE"
    expect 'ip.src == 203.0.113.9 && tcp.payload contains "SSH-2.0-PuTTY"'
}

scenario ssh/paramiko-asyncssh paramiko ssh/paramiko-asyncssh.pcapng \
    'Paramiko 10.20.0.21 tries a password at AsyncSSH 10.20.0.40:22, which refuses it.' \
    ssh.session
paramiko() {
    ssh_lab
    made_with "asyncssh (PyPI) $(pip_version asyncssh)" "paramiko (PyPI) $(pip_version paramiko)"
    start files "$TOOLS/py/bin/python" -c '
import asyncio, asyncssh
async def main():
    await asyncssh.listen("", 22, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")])
    await asyncio.Event().wait()
asyncio.run(main())'
    listening files 22
    capture
    quietly 8 pc21 "$TOOLS/py/bin/python" -c '
import paramiko
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("10.20.0.40", username="alice", password="guessed1", allow_agent=False, look_for_keys=False)'
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "SSH-2.0-paramiko"'
    expect 'tcp.payload contains "SSH-2.0-AsyncSSH"'
}

scenario ssh/reverse-forwarding reverse_forwarding ssh/reverse-forwarding.pcapng \
    'OpenSSH client 10.20.0.21 forwards port 8022 of 198.51.100.60:22 on the internet back to the OpenSSH server of 10.20.0.40 (ssh -R); from there somebody logs in through it. Of the forwarding only sizes and times are seen.' \
    ssh.session later:tunnel.ssh_reverse
reverse_forwarding() {
    ssh_lab
    deb openssh-client openssh-server
    ssh_server files 22
    ssh_server vps 22
    capture
    start pc21 ssh "${OPENSSH[@]}" -i "$TMP/key" -N -R 8022:10.20.0.40:22 alice@198.51.100.60
    local forwarding=$STARTED
    listening vps 8022
    quietly 8 vps ssh "${OPENSSH[@]}" -i "$TMP/key" -p 8022 alice@127.0.0.1 'for n in 1 2 3 4 5; do uptime; sleep 0.3; done'
    stop "$forwarding"
    capture_end
    save "$FILE"
    expect 'ip.dst == 198.51.100.60 && tcp.dstport == 22'
    expect 'ip.dst == 10.20.0.40 && tcp.dstport == 22'
}

scenario ssh/lines-before-banner lines_first ssh/lines-before-banner.pcapng \
    'OpenSSH client 10.20.0.21 logs in at OpenSSH 10.20.0.40:22 behind socat, which sends three lines before the identification of the server.' \
    ssh.session
lines_first() {
    ssh_lab
    deb openssh-client openssh-server socat
    ssh_server files 2022
    printf 'Welcome to the lab.\r\nSSH is for members only.\r\nBe kind.\r\n' >"$TMP/lines"
    # One write at least for the lines: they come in a segment of their own or together with the identification.
    start files socat TCP-LISTEN:22,fork,reuseaddr SYSTEM:"cat $TMP/lines; exec socat - TCP\:127.0.0.1\:2022"
    listening files 22
    capture
    quietly 8 pc21 ssh "${OPENSSH[@]}" -i "$TMP/key" alice@10.20.0.40 'ls /usr; sleep 1'
    capture_end
    save "$FILE"
    expect 'tcp.srcport == 22 && tcp.payload contains "Welcome to the lab."'
}

scenario ssh/server-dials-out dials_out ssh/server-dials-out.pcapng \
    'AsyncSSH on 10.20.0.40 opens a connection to 203.0.113.9:443 on the internet and is the SSH server in it; the listener there logs in and runs commands (a reverse shell).' \
    ssh.session ssh.odd_port ssh.reverse
dials_out() {
    ssh_lab
    made_with "asyncssh (PyPI) $(pip_version asyncssh)"
    start stranger "$TOOLS/py/bin/python" -c '
import asyncio, asyncssh
async def run(connection):
    for command in ("id", "uptime", "ls /usr"):
        print(await connection.run(command, check=False))
    connection.close()
async def main():
    await asyncssh.listen_reverse("", 443, acceptor=run, known_hosts=None, username="alice", password="secret12", client_keys=None)
    await asyncio.Event().wait()
asyncio.run(main())'
    listening stranger 443
    capture
    quietly 8 files "$TOOLS/py/bin/python" -c '
import asyncio, asyncssh
class Server(asyncssh.SSHServer):
    def begin_auth(self, username): return False
async def process(p):
    p.stdout.write("uid=0(root)\n"); p.exit(0)
async def main():
    connection = await asyncssh.connect_reverse("203.0.113.9", 443, server_factory=Server, process_factory=process,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")])
    await connection.wait_closed()
asyncio.run(main())'
    capture_end
    save "$FILE"
    expect 'ip.src == 10.20.0.40 && tcp.dstport == 443 && tcp.payload contains "SSH-2.0-AsyncSSH"'
}

scenario ssh/http-request-at-server http_at_ssh ssh/http-request-at-server.pcapng \
    'curl 10.20.0.21 asks OpenSSH 10.20.0.40:22 for a page: the server identifies itself and hangs up.'
http_at_ssh() {
    ssh_lab
    deb curl openssh-server
    ssh_server files 22
    capture
    quietly 5 pc21 curl -s --http0.9 http://10.20.0.40:22/
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "GET / HTTP/1.1"'
    expect 'tcp.payload contains "SSH-2.0-OpenSSH"'
}

scenario ssh/nmap-version-from-internet nmap_version ssh/nmap-version-from-internet.pcapng \
    'nmap -sV 203.0.113.9 on the internet reads the identification of OpenSSH 10.20.0.40:22 and sends none: no session.'
nmap_version() {
    ssh_lab
    deb nmap openssh-server
    ssh_server files 22
    capture
    quietly 20 stranger nmap -n -Pn -sT -sV --version-light -p 22 10.20.0.40
    capture_end
    save "$FILE"
    expect 'tcp.payload contains "SSH-2.0-OpenSSH"'
}
