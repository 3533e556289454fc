//! What applications say to each other over TCP.

use crate::chance::Chance;
use crate::script::Side::{Client, Server};
use crate::script::{Script, Tcp};
use crate::stock::{MSS, Piece, Stock};
use crate::tls::{self, Hello, record};

/// How a TLS connection is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Small records to and fro.
    Chat,
    /// The client sends.
    Upload,
    /// Requests, and what is loaded, on a kept connection.
    Load,
}

impl Use {
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        match chance.below(100) {
            0..15 => Self::Chat,
            15..22 => Self::Upload,
            _ => Self::Load,
        }
    }
}

/// A TLS handshake, up to what the client says to end it.
pub(crate) fn tls_handshake(tcp: &mut Tcp<'_>, stock: &Stock, name: &str) {
    let kind = match tcp.chance().permille(450) {
        true => Hello::PostQuantum,
        false => Hello::Plain,
    };
    let hello = tls::client_hello(tcp.chance(), name, kind);
    tcp.say(Client, &record(22, &hello), 0.5);
    if tcp.chance().permille(850) {
        let flight = tcp.chance().pick(&stock.flights_13).clone();
        tcp.send(Server, flight, 1.0);
        let mut end = record(20, &[1]);
        for length in [53, 150] {
            end.extend(record(23, &tcp.chance().octets(length)));
        }
        tcp.say(Client, &end, 1.0);
        return;
    }
    let flight = tcp.chance().pick(&stock.flights_12).clone();
    tcp.send(Server, flight, 1.0);
    let share = [&[32][..], &tcp.chance().octets(32)].concat();
    let mut end = record(22, &tls::handshake(16, &share));
    end.extend(record(20, &[1]));
    end.extend(record(22, &encrypted(tcp.chance())));
    tcp.say(Client, &end, 1.0);
    let mut end = record(20, &[1]);
    end.extend(record(22, &encrypted(tcp.chance())));
    tcp.say(Server, &end, 0.5);
}

/// A Finished that TLS 1.2 encrypted: an explicit nonce that counts from 0 comes first.
fn encrypted(chance: &mut Chance) -> Vec<u8> {
    let mut octets = vec![0; 8];
    chance.extend(&mut octets, 32);
    octets
}

/// Application data in TLS records, so many octets of it.
pub(crate) fn tls_data(tcp: &mut Tcp<'_>, stock: &Stock, length: usize, how: Use) {
    let mut left = length / MSS;
    let mut place = stock.place(tcp.chance());
    match how {
        Use::Chat => {
            let mut left = length;
            while left > 0 {
                let question = stock.record(tcp.chance(), 0, 10);
                let answer = stock.record(tcp.chance(), 0, 10);
                tcp.send(Client, [question], 50.0);
                tcp.send(Server, [answer], 5.0);
                left = left.saturating_sub(usize::from(question.length + answer.length));
            }
        }
        Use::Upload => {
            tcp.send(Client, stock.records_from(&mut place, left.max(1)), 1.0);
            let answer = stock.record(tcp.chance(), 4, 5);
            tcp.send(Server, [answer], 5.0);
        }
        Use::Load => {
            while left > 0 {
                let count = tcp.chance().long_tail(8, 2000).min(left);
                let question = stock.record(tcp.chance(), 3, 7);
                tcp.send(Client, [question], 20.0);
                tcp.send(Server, stock.records_from(&mut place, count), 10.0);
                left -= count;
            }
        }
    }
}

/// HTTP/1.1 in clear: requests on a kept connection.
pub(crate) fn http(tcp: &mut Tcp<'_>, stock: &Stock, host: &str, length: usize) -> u64 {
    let (mut left, mut requests) = (length, 0);
    while left > 0 {
        requests += 1;
        let count = (tcp.chance().long_tail(4000, 400_000).min(left) / MSS).max(1);
        let path = tcp.chance().next();
        let request = format!(
            "GET /{:x}/{:x}.js HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) \
             Gecko/20100101 Firefox/140.0\r\nAccept: */*\r\n\r\n",
            path >> 32,
            path as u32
        );
        tcp.say(Client, request.as_bytes(), 20.0);
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {}\r\nConnection: keep-alive\r\n\r\n",
            count * MSS
        );
        tcp.say(Server, head.as_bytes(), 10.0);
        let body = stock.bulk(tcp.chance(), count);
        tcp.send(Server, body, 0.0);
        left = left.saturating_sub(count * MSS + 400);
    }
    requests
}

/// SSH (RFC 4253): a shell, or a transfer.
pub(crate) fn ssh(tcp: &mut Tcp<'_>, stock: &Stock, length: usize) {
    tcp.say(Client, b"SSH-2.0-OpenSSH_9.9\r\n", 10.0);
    tcp.say(Server, b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n", 10.0);
    for side in [Client, Server] {
        let mut body = vec![20];
        tcp.chance().extend(&mut body, 16);
        for list in SSH_LISTS {
            body.extend_from_slice(&sized_32(list.as_bytes()));
        }
        body.extend_from_slice(&[0; 5]);
        tcp.say(side, &ssh_packet(&body), 10.0);
    }
    let point = [&[30][..], &sized_32(&tcp.chance().octets(32))].concat();
    tcp.say(Client, &ssh_packet(&point), 10.0);
    // The host's key, the server's point, the signature.
    let of_key = |octets: &[u8]| [sized_32(b"ssh-ed25519"), sized_32(octets)].concat();
    let reply = [
        &[31][..],
        &sized_32(&of_key(&tcp.chance().octets(32))),
        &sized_32(&tcp.chance().octets(32)),
        &sized_32(&of_key(&tcp.chance().octets(64))),
    ]
    .concat();
    let mut octets = ssh_packet(&reply);
    octets.extend(ssh_packet(&[21]));
    tcp.say(Server, &octets, 10.0);
    tcp.say(Client, &ssh_packet(&[21]), 5.0);
    if tcp.chance().permille(600) {
        for _ in 0..(length / 150).min(1000) {
            let size = *tcp.chance().pick(&[36, 52, 116, 420]);
            let (key, shown) = (
                stock.random(tcp.chance(), 36),
                stock.random(tcp.chance(), size),
            );
            tcp.send(Client, [key], 150.0);
            tcp.send(Server, [shown], 10.0);
        }
    } else {
        let bulk = stock.bulk(tcp.chance(), (length / MSS).max(1));
        tcp.send(Server, bulk, 20.0);
    }
}

/// A binary packet before encryption.
fn ssh_packet(body: &[u8]) -> Vec<u8> {
    // Length, padding length and body fill blocks of eight octets; four octets of padding at least.
    let padding = 4 + (8 - (5 + body.len() + 4) % 8) % 8;
    let length = 1 + body.len() + padding;
    [
        &(length as u32).to_be_bytes()[..],
        &[padding as u8],
        body,
        &vec![0; padding],
    ]
    .concat()
}

fn sized_32(octets: &[u8]) -> Vec<u8> {
    [&(octets.len() as u32).to_be_bytes()[..], octets].concat()
}

/// SMB 3: negotiation, then reads of a file.
pub(crate) fn smb(tcp: &mut Tcp<'_>, stock: &Stock, length: usize) {
    let mut offer = [
        &36_u16.to_le_bytes()[..],
        &[2, 0, 1, 0, 0, 0, 0x7f, 0, 0, 0],
    ]
    .concat();
    tcp.chance().extend(&mut offer, 16);
    offer.extend_from_slice(&[0; 8]);
    // Dialects 2.0.2 and 3.0.
    offer.extend_from_slice(&[0x02, 0x02, 0x00, 0x03]);
    tcp.say(Client, &smb2(0, 0, 0, &offer, 0), 1.0);
    let mut chosen = vec![65, 0, 1, 0, 0x00, 0x03, 0, 0];
    tcp.chance().extend(&mut chosen, 16);
    for word in [0x7f_u32, 1 << 20, 1 << 20, 1 << 20] {
        chosen.extend_from_slice(&word.to_le_bytes());
    }
    chosen.extend_from_slice(&[0; 16]);
    chosen.extend_from_slice(&[128, 0, 0, 0, 0, 0, 0, 0]);
    tcp.say(Server, &smb2(0, 1, 0, &chosen, 0), 1.0);
    let file = tcp.chance().octets(16);
    let size = SMB_READ * MSS;
    for number in 1..=(length / size).max(1) as u64 {
        let mut read = vec![49, 0, 0x50, 0];
        read.extend_from_slice(&(size as u32).to_le_bytes());
        read.extend_from_slice(&(number * size as u64).to_le_bytes());
        read.extend_from_slice(&file);
        read.extend_from_slice(&[0; 17]);
        tcp.say(Client, &smb2(8, 0, number, &read, 0), 2.0);
        let mut answer = vec![17, 0, 80, 0];
        answer.extend_from_slice(&(size as u32).to_le_bytes());
        answer.extend_from_slice(&[0; 8]);
        tcp.say(Server, &smb2(8, 1, number, &answer, size), 1.0);
        let body = stock.bulk(tcp.chance(), SMB_READ);
        tcp.send(Server, body, 0.0);
    }
}

/// A message behind the length that the transport puts before it; `more` octets of it follow.
fn smb2(command: u16, flags: u32, number: u64, body: &[u8], more: usize) -> Vec<u8> {
    let mut out = ((64 + body.len() + more) as u32).to_be_bytes().to_vec();
    out.extend_from_slice(&[0xfe, b'S', b'M', b'B', 64, 0, 1, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&command.to_le_bytes());
    out.extend_from_slice(&[1, 0]);
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&[0, 0, 0, 0, 5, 0, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(body);
    out
}

/// RDP: the Connection Request with a cookie, then CredSSP and a desktop inside TLS.
pub(crate) fn rdp(tcp: &mut Tcp<'_>, stock: &Stock, user: &str, server: &str, length: usize) {
    let mut request = b"\xe0\0\0\0\0\0".to_vec();
    request.extend_from_slice(format!("Cookie: mstshash={user}\r\n").as_bytes());
    // Asks for TLS, CredSSP and its early authorization.
    request.extend_from_slice(&[1, 0, 8, 0, 11, 0, 0, 0]);
    tcp.say(Client, &tpkt(&request), 10.0);
    let confirm = [0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, 2, 0, 0, 0];
    tcp.say(Server, &tpkt(&confirm), 10.0);
    tls_handshake(tcp, stock, server);
    let mut place = stock.place(tcp.chance());
    let mut left = length;
    while left > 0 {
        let input = stock.record(tcp.chance(), 0, 4);
        let shown = stock.record(tcp.chance(), 2, 10);
        tcp.send(Client, [input], 40.0);
        tcp.send(Server, [shown], 10.0);
        left = left.saturating_sub(usize::from(input.length + shown.length));
        if tcp.chance().permille(100) {
            let count = 2 + tcp.chance().below(28);
            // The records of a run end with it, so that a small one can follow.
            place = place.next_multiple_of(RUN_OF_RECORDS);
            let count = count.next_multiple_of(RUN_OF_RECORDS);
            tcp.send(Server, stock.records_from(&mut place, count), 10.0);
            left = left.saturating_sub(count * MSS);
        }
    }
}

/// X.224 in TPKT.
fn tpkt(body: &[u8]) -> Vec<u8> {
    let length = (body.len() + 5) as u16;
    [
        &[3, 0][..],
        &length.to_be_bytes(),
        &[body.len() as u8],
        body,
    ]
    .concat()
}

/// VNC (RFC 6143): a password, a desktop, its pictures.
pub(crate) fn vnc(tcp: &mut Tcp<'_>, stock: &Stock, version: &str, length: usize) {
    let line = format!("{version}\n");
    tcp.say(Server, line.as_bytes(), 5.0);
    tcp.say(Client, line.as_bytes(), 5.0);
    tcp.say(Server, &[1, 2], 2.0);
    tcp.say(Client, &[2], 2.0);
    let (challenge, response) = (tcp.chance().octets(16), tcp.chance().octets(16));
    tcp.say(Server, &challenge, 2.0);
    tcp.say(Client, &response, 500.0);
    tcp.say(Server, &[0; 4], 2.0);
    tcp.say(Client, &[1], 1.0);
    let name = format!("host{}:1 (user)", tcp.chance().below(100));
    let mut init = vec![0x07, 0x80, 0x04, 0x38];
    init.extend_from_slice(&[32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
    init.extend(sized_32(name.as_bytes()));
    tcp.say(Server, &init, 2.0);
    let mut left = length;
    while left > 0 {
        let count = *tcp.chance().pick(&[1, 1, 2, 4, 10, 40]);
        left = left.saturating_sub(count * MSS);
        // The whole screen, what changed of it.
        tcp.say(Client, &[3, 1, 0, 0, 0, 0, 0x07, 0x80, 0x04, 0x38], 30.0);
        // One rectangle of raw pixels, four octets each: a line is as long as a segment.
        let mut update = vec![0, 0, 0, 1, 0, 0, 0, 0];
        for word in [MSS / 4, count] {
            update.extend_from_slice(&(word as u16).to_be_bytes());
        }
        update.extend_from_slice(&[0; 4]);
        tcp.say(Server, &update, 10.0);
        let pixels = stock.bulk(tcp.chance(), count);
        tcp.send(Server, pixels, 0.0);
        if tcp.chance().permille(500) {
            let [first, second] = [1920, 1080].map(|most| tcp.chance().below(most) as u16);
            let mut pointer = vec![5, 0];
            pointer.extend_from_slice(&first.to_be_bytes());
            pointer.extend_from_slice(&second.to_be_bytes());
            tcp.say(Client, &pointer, 10.0);
        }
    }
}

/// Keys and echoes of something interactive, so many of each.
pub(crate) fn keys(tcp: &mut Tcp<'_>, stock: &Stock, count: usize, think_ms: f64) {
    for _ in 0..count {
        let size = *tcp.chance().pick(&[36, 52]);
        let key: Piece = stock.random(tcp.chance(), 36);
        let echo = stock.random(tcp.chance(), size);
        tcp.send(Client, [key], think_ms);
        tcp.send(Server, [echo], 1.0);
    }
}

/// Ends a connection as most do, and gives its script.
pub(crate) fn closed(mut tcp: Tcp<'_>) -> Script {
    tcp.close();
    tcp.finish()
}

/// Full segments of one read.
const SMB_READ: usize = 45;
/// Full segments after which a run of TLS records ends.
const RUN_OF_RECORDS: usize = 45;
/// Methods and algorithms of KEXINIT, as OpenSSH offered them before its post-quantum ones.
const SSH_LISTS: [&str; 10] = [
    "curve25519-sha256,ecdh-sha2-nistp256",
    "ssh-ed25519,rsa-sha2-512",
    "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "none",
    "none",
    "",
    "",
];
