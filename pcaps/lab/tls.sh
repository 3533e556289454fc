# TLS where it hides, and what it tells besides a name: STARTTLS of many protocols, client certificates, resumption.
#
# The server is srv01, 10.20.0.31 (certificate srv01.corp.example); OpenSSL's s_client on pc21, 10.20.0.21.

tls_lab() {
    host srv01 10.20.0.31
    host pc21 10.20.0.21
    certificate srv01 srv01.corp.example
    deb openssl
}

# s_client [options]: a session that ends at once.
s_client() { quietly 5 pc21 openssl s_client -connect 10.20.0.31:"$PORT" "$@"; }

tls_end() {
    capture_end
    save "$FILE"
}

# ---------------------------------------------------------------- plain

scenario tls/client-certificate tls_client_certificate tls/client-certificate.pcapng \
    'OpenSSL 10.20.0.21 shows its certificate (CN=pc21.corp.example) to s_server 10.20.0.31:4433, which asks for one, in TLS 1.2; then to the same server in TLS 1.3, where it is encrypted.'
tls_client_certificate() {
    tls_lab
    certificate pc21 pc21.corp.example
    PORT=4433
    start srv01 openssl s_server -accept $PORT -cert "$TMP/srv01.crt" -key "$TMP/srv01.key" -Verify 1 -quiet
    listening srv01 $PORT
    capture
    s_client -tls1_2 -cert "$TMP/pc21.crt" -key "$TMP/pc21.key" -servername srv01.corp.example
    s_client -cert "$TMP/pc21.crt" -key "$TMP/pc21.key" -servername srv01.corp.example
    tls_end
    expect 'tls.handshake.type == 13 && tcp.srcport == 4433'
    expect 'tls.handshake.type == 11 && tcp.dstport == 4433'
}

tls_resumed() {   # OPTION...: of both sessions
    tls_lab
    PORT=4433
    start srv01 openssl s_server -accept $PORT -cert "$TMP/srv01.crt" -key "$TMP/srv01.key" -quiet
    listening srv01 $PORT
    capture
    # A session file is written when the peer's ticket has come; in TLS 1.3 that is behind the handshake.
    at pc21 sh -c "sleep 1 | openssl s_client -connect 10.20.0.31:$PORT -sess_out $TMP/session $*" >"$TMP/first.log" 2>&1 || true
    at pc21 sh -c "sleep 0.5 | openssl s_client -connect 10.20.0.31:$PORT -sess_in $TMP/session $*" >"$TMP/second.log" 2>&1 || true
    tls_end
    grep -q 'Reused' "$TMP/second.log" || die "not resumed: $(cat "$TMP/second.log")"
}
scenario tls/resumed-by-ticket 'tls_resumed -tls1_2' tls/resumed-by-ticket.pcapng \
    'OpenSSL 10.20.0.21 twice to s_server 10.20.0.31:4433 in TLS 1.2; the second session goes on with the ticket of the first.'
scenario tls/resumed-by-session-id 'tls_resumed -tls1_2 -no_ticket' tls/resumed-by-session-id.pcapng \
    'OpenSSL 10.20.0.21 twice to s_server 10.20.0.31:4433 in TLS 1.2 without tickets; the second session goes on with the id of the first.'
scenario tls/resumed-by-psk 'tls_resumed -tls1_3' tls/resumed-by-psk.pcapng \
    'OpenSSL 10.20.0.21 twice to s_server 10.20.0.31:4433 in TLS 1.3; the second session goes on with the pre-shared key of the first.'

scenario tls/hello-retry-request tls_retry tls/hello-retry-request.pcapng \
    'OpenSSL 10.20.0.21 offers X25519 first, s_server 10.20.0.31:4433 takes P-384 only and asks for another hello.'
tls_retry() {
    tls_lab
    PORT=4433
    start srv01 openssl s_server -accept $PORT -cert "$TMP/srv01.crt" -key "$TMP/srv01.key" -groups P-384 -quiet
    listening srv01 $PORT
    capture
    s_client -groups X25519:P-384 -servername srv01.corp.example
    tls_end
    expect 'tls.handshake.type == 1' -2
    (($(matches 'tls.handshake.type == 1') == 2)) || die 'not two hellos'
}

# ---------------------------------------------------------------- STARTTLS

scenario tls/starttls-imap-pop3 tls_dovecot tls/starttls-imap-pop3.pcapng \
    'OpenSSL 10.20.0.21 asks dovecot 10.20.0.31 for STARTTLS on IMAP (143) and for STLS on POP3 (110); TLS 1.2.'
tls_dovecot() {
    tls_lab
    deb dovecot-core
    cat >"$TMP/dovecot.conf" <<END
protocols = imap pop3
base_dir = $TMP/dovecot
log_path = /dev/stderr
ssl = yes
ssl_cert = <$TMP/srv01.crt
ssl_key = <$TMP/srv01.key
default_internal_user = dovecot
default_login_user = dovenull
passdb {
  driver = static
  args = nopassword=y
}
service imap-login {
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  inet_listener pop3s {
    port = 0
  }
}
END
    chmod 755 "$TMP"
    start srv01 dovecot -F -c "$TMP/dovecot.conf"
    listening srv01 143
    capture
    PORT=143 s_client -starttls imap -tls1_2
    PORT=110 s_client -starttls pop3 -tls1_2
    tls_end
    expect 'tcp.dstport == 143 && tls.handshake.type == 1' -d tcp.port==143,imap
}

scenario tls/starttls-smtp tls_smtp tls/starttls-smtp.pcapng \
    'OpenSSL 10.20.0.21 asks aiosmtpd 10.20.0.31:2525 for STARTTLS behind EHLO.'
tls_smtp() {
    tls_lab
    made_with "aiosmtpd $(pip_version aiosmtpd)"
    PORT=2525
    start srv01 "$TOOLS/py/bin/python" -m aiosmtpd -n -l 10.20.0.31:$PORT --tlscert "$TMP/srv01.crt" --tlskey "$TMP/srv01.key" --no-requiretls
    listening srv01 $PORT
    capture
    s_client -starttls smtp -name pc21.corp.example
    tls_end
    expect 'tcp.payload contains "STARTTLS"'
}

scenario tls/starttls-ftp tls_ftp tls/starttls-ftp.pcapng \
    'OpenSSL 10.20.0.21 sends AUTH TLS to vsftpd 10.20.0.31:21.'
tls_ftp() {
    tls_lab
    deb vsftpd
    PORT=21
    mkdir -p "$TMP/empty"
    printf 'listen=YES\nbackground=NO\nssl_enable=YES\nrsa_cert_file=%s\nrsa_private_key_file=%s\nsecure_chroot_dir=%s\nsession_support=NO\n' \
        "$TMP/srv01.crt" "$TMP/srv01.key" "$TMP/empty" >"$TMP/vsftpd.conf"
    start srv01 vsftpd "$TMP/vsftpd.conf"
    listening srv01 $PORT
    capture
    s_client -starttls ftp -tls1_2
    tls_end
    expect 'tcp.payload contains "AUTH TLS"'
}

scenario tls/starttls-ldap tls_ldap tls/starttls-ldap.pcapng \
    'OpenSSL 10.20.0.21 sends the extended operation StartTLS to slapd 10.20.0.31:389.'
tls_ldap() {
    tls_lab
    deb slapd
    PORT=389
    mkdir -p "$TMP/ldap"
    printf 'include /etc/ldap/schema/core.schema\npidfile %s\nTLSCertificateFile %s\nTLSCertificateKeyFile %s\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\ndatabase mdb\nsuffix "dc=corp,dc=example"\ndirectory %s\n' \
        "$TMP/slapd.pid" "$TMP/srv01.crt" "$TMP/srv01.key" "$TMP/ldap" >"$TMP/slapd.conf"
    start srv01 slapd -d 0 -f "$TMP/slapd.conf" -h ldap://10.20.0.31/
    listening srv01 $PORT
    capture
    s_client -starttls ldap
    tls_end
    expect 'ldap && tcp.dstport == 389'
}

scenario tls/starttls-postgresql tls_postgresql tls/starttls-postgresql.pcapng \
    'OpenSSL 10.20.0.21 sends SSLRequest to PostgreSQL 10.20.0.31:5432, which answers with one octet, S.'
tls_postgresql() {
    tls_lab
    deb postgresql-15
    PORT=5432
    local bin=/usr/lib/postgresql/15/bin data=$TMP/postgresql
    chmod 755 "$TMP"
    command install -d -o postgres "$data"
    command install -o postgres -m 600 "$TMP/srv01.key" "$TMP/postgresql.key"
    at srv01 setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/initdb" -D "$data" >"$TMP/initdb.log" 2>&1
    start srv01 setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/postgres" -D "$data" -h 10.20.0.31 -k '' \
        -c ssl=on -c "ssl_cert_file=$TMP/srv01.crt" -c "ssl_key_file=$TMP/postgresql.key"
    listening srv01 $PORT
    capture
    s_client -starttls postgres
    tls_end
    expect 'tcp.len == 1 && tcp.srcport == 5432'
}

scenario tls/starttls-mysql tls_mysql tls/starttls-mysql.pcapng \
    'OpenSSL 10.20.0.21 to MariaDB 10.20.0.31:3306: the server greets, the client sends its SSLRequest and the hello at once.'
tls_mysql() {
    tls_lab
    deb mariadb-server
    PORT=3306
    local data=$TMP/mysql
    chmod 755 "$TMP"
    command install -d -o mysql "$data"
    command install -o mysql -m 600 "$TMP/srv01.key" "$TMP/mysql.key"
    at srv01 mariadb-install-db --no-defaults --user=mysql --datadir="$data" --auth-root-authentication-method=normal >"$TMP/install.log" 2>&1
    start srv01 mariadbd --no-defaults --user=mysql --datadir="$data" --bind-address=10.20.0.31 --port=$PORT --socket="$data/socket" \
        --pid-file="$data/pid" --ssl-cert="$TMP/srv01.crt" --ssl-key="$TMP/mysql.key" --skip-grant-tables --skip-networking=0 --skip-name-resolve
    listening srv01 $PORT
    capture
    s_client -starttls mysql
    tls_end
    expect 'tls.handshake.type == 1'
}

scenario tls/starttls-xmpp tls_xmpp tls/starttls-xmpp.pcapng \
    'OpenSSL 10.20.0.21 opens a stream to Prosody 10.20.0.31:5222 and asks for starttls.'
tls_xmpp() {
    tls_lab
    deb prosody
    PORT=5222
    chmod 755 "$TMP"
    command install -d -o prosody "$TMP/prosody"
    command install -o prosody -m 600 "$TMP/srv01.key" "$TMP/prosody.key"
    cat >"$TMP/prosody.cfg.lua" <<END
daemonize = false
pidfile = "$TMP/prosody/pid"
data_path = "$TMP/prosody"
log = { info = "*console" }
modules_enabled = { "tls", "saslauth", "roster" }
modules_disabled = { "s2s" }
interfaces = { "10.20.0.31" }
ssl = { key = "$TMP/prosody.key", certificate = "$TMP/srv01.crt" }
VirtualHost "srv01.corp.example"
END
    start srv01 setpriv --reuid=prosody --regid=prosody --clear-groups prosody --config "$TMP/prosody.cfg.lua"
    listening srv01 $PORT
    capture
    s_client -starttls xmpp -xmpphost srv01.corp.example
    tls_end
    expect 'tls.handshake.type == 1'
}
