//! One line or packet at a time: pure functions from octets to a message.

use md5::{Digest, Md5};

use crate::{Reader, Step};

/// An identification string (RFC 4253, section 4.2), without its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identification {
    /// The line as text, cut to [`MAX_IDENTIFICATION`] octets before that. Control characters and octets that are no UTF-8
    /// are written `\xNN`.
    pub text: String,
    /// Which protocols it offers.
    pub protocols: Protocols,
}

/// What the version in an identification offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocols {
    /// `SSH-1.3`, `SSH-1.5`
    One,
    /// `SSH-1.99`: the peer's version decides.
    Both,
    /// `SSH-2.0`, and every other version: what libraries that check only the first four letters make of it.
    Two,
}

/// A binary packet before encryption (RFC 4253, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Message number and fields, without padding; never empty.
    pub payload: &'a [u8],
}

impl Packet<'_> {
    /// Message number (RFC 4250, section 4.1).
    #[must_use]
    pub fn number(&self) -> u8 {
        self.payload.first().copied().unwrap_or_default()
    }
}

/// A packet of protocol 1 before encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtocolOnePacket {
    /// Message type: 2 is the server's public key, 3 the client's session key.
    pub kind: u8,
}

/// A side's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Who asks for a shell or a forwarding.
    Client,
    /// Who gives it.
    Server,
}

/// What a KEXINIT tells of its sender (RFC 4253, section 7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyExchangeInit {
    /// hassh: MD5 of key exchange, ciphers, MACs and compressions from client to server, the lists as sent and joined by
    /// `;`, as 32 hexadecimal digits. It fingerprints a client.
    pub hassh: String,
    /// The same with the lists from server to client: it fingerprints a server.
    pub hassh_server: String,
    /// Whether a method of RFC 4432 is offered, in which the server speaks first.
    pub offers_rsa: bool,
    /// What its sender says it is, by a name that only clients or only servers put among their methods (RFC 8308,
    /// section 2.1; OpenSSH's PROTOCOL, section 1.10).
    pub says: Option<Role>,
}

/// Whether these octets begin an identification string. Eight octets tell where the version is a usual one; any other
/// (`SSH-chisel-v3-client`) needs the whole line.
#[must_use]
pub fn opening(input: &[u8]) -> Step<()> {
    for usual in USUAL {
        if input.starts_with(usual) {
            return Step::Done((), usual.len());
        }
    }
    match identification(input) {
        Step::Done(_, used) if input.get(..used).is_some_and(is_plain_line) => Step::Done((), used),
        Step::Done(..) => Step::NotThisProtocol("no SSH identification"),
        Step::NeedMore(missing) => {
            if input.iter().any(|&octet| !is_plain(octet)) || input.len() > MAX_IDENTIFICATION {
                return Step::NotThisProtocol("no SSH identification");
            }
            Step::NeedMore(missing)
        }
        Step::NotThisProtocol(_) => Step::NotThisProtocol("no SSH identification"),
    }
}

/// Decodes the identification string at the start of `input`, up to and with its line end.
#[must_use]
pub fn identification(input: &[u8]) -> Step<Identification> {
    if !input.iter().zip(PREFIX).all(|(octet, want)| octet == want) {
        return Step::NotThisProtocol("no SSH identification");
    }
    line(input).map(|line| {
        let protocols = match line.get(PREFIX.len()..) {
            Some([b'1', b'.', b'9', b'9', b'-', ..]) => Protocols::Both,
            Some([b'1', b'.', ..]) => Protocols::One,
            _ => Protocols::Two,
        };
        Identification {
            text: printable(line.get(..MAX_IDENTIFICATION).unwrap_or(line)),
            protocols,
        }
    })
}

/// The line at the start of `input`, without its end (LF, or CR LF).
pub(super) fn line(input: &[u8]) -> Step<&[u8]> {
    let searched = input.get(..MAX_LINE).unwrap_or(input);
    let Some(end) = searched.iter().position(|&octet| octet == b'\n') else {
        return if input.len() < MAX_LINE {
            Step::NeedMore(1)
        } else {
            Step::NotThisProtocol("a line without an end")
        };
    };
    let line = input.get(..end).unwrap_or_default();
    Step::Done(line.strip_suffix(b"\r").unwrap_or(line), end + 1)
}

/// Decodes one binary packet before encryption.
#[must_use]
pub fn packet(input: &[u8]) -> Step<Packet<'_>> {
    let mut reader = Reader::new(input);
    let Some(length) = reader.u32_be() else {
        return Step::NeedMore(4 - input.len());
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    // One octet of padding length, one of payload, four of padding.
    if !(6..=MAX_PACKET).contains(&length) {
        return Step::NotThisProtocol("the length of a packet is out of bounds");
    }
    let left = reader.left();
    let Some(mut packet) = reader.sub(length) else {
        if let Some(&padding) = reader.rest().first()
            && usize::from(padding) + 2 > length
        {
            return Step::NotThisProtocol("padding longer than its packet");
        }
        return Step::NeedMore(length - left);
    };
    let payload = packet
        .u8()
        .map(usize::from)
        .and_then(|padding| (length - 1).checked_sub(padding))
        .filter(|&payload| payload > 0)
        .and_then(|payload| packet.take(payload));
    match payload {
        Some(payload) => Step::Done(Packet { payload }, 4 + length),
        None => Step::NotThisProtocol("padding longer than its packet"),
    }
}

/// Decodes one packet of protocol 1 before encryption: length, one to eight octets of padding, type, data, check sum.
#[must_use]
pub fn protocol_one_packet(input: &[u8]) -> Step<ProtocolOnePacket> {
    let mut reader = Reader::new(input);
    let Some(length) = reader.u32_be() else {
        return Step::NeedMore(4 - input.len());
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    // The length counts the type and the check sum, not the padding.
    if !(5..=MAX_PACKET).contains(&length) {
        return Step::NotThisProtocol("the length of a packet is out of bounds");
    }
    let padding = 8 - length % 8;
    let left = reader.left();
    let kind = reader.take(padding).and_then(|_| reader.u8());
    match kind {
        Some(kind) if left >= padding + length => {
            Step::Done(ProtocolOnePacket { kind }, 4 + padding + length)
        }
        _ => Step::NeedMore((padding + length).saturating_sub(left).max(1)),
    }
}

/// Decodes the payload of a KEXINIT. `None` when its lists do not fit it, or are no lists of names.
#[must_use]
pub fn key_exchange_init(payload: &[u8]) -> Option<KeyExchangeInit> {
    let mut reader = Reader::new(payload);
    reader.u8().filter(|&number| number == KEXINIT)?;
    reader.take(COOKIE)?;
    let mut list = || {
        let length = usize::try_from(reader.u32_be()?).ok()?;
        let names = reader.take(length)?;
        names.iter().all(u8::is_ascii_graphic).then_some(names)
    };
    let [kex, _host_keys] = [list()?, list()?];
    let [ciphers_up, ciphers_down] = [list()?, list()?];
    let [macs_up, macs_down] = [list()?, list()?];
    let [compressions_up, compressions_down] = [list()?, list()?];
    Some(KeyExchangeInit {
        hassh: hash([kex, ciphers_up, macs_up, compressions_up]),
        hassh_server: hash([kex, ciphers_down, macs_down, compressions_down]),
        offers_rsa: names(kex).any(|name| name == b"rsa1024-sha1" || name == b"rsa2048-sha256"),
        says: names(kex).find_map(|name| match name {
            b"ext-info-c" | b"kex-strict-c-v00@openssh.com" => Some(Role::Client),
            b"ext-info-s" | b"kex-strict-s-v00@openssh.com" => Some(Role::Server),
            _ => None,
        }),
    })
}

fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&octet| octet == b',')
}

fn hash(lists: [&[u8]; 4]) -> String {
    let mut hash = Md5::new();
    for (at, list) in lists.into_iter().enumerate() {
        if at > 0 {
            hash.update(b";");
        }
        hash.update(list);
    }
    format!("{:x}", hash.finalize())
}

/// Text as a record writes it: an identification must not forge lines.
fn printable(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                escape(&mut text, u32::from(c));
            } else {
                text.push(c);
            }
        }
        for &octet in chunk.invalid() {
            escape(&mut text, u32::from(octet));
        }
    }
    text
}

fn escape(text: &mut String, octet: u32) {
    text.push_str("\\x");
    for digit in [octet >> 4 & 0x0f, octet & 0x0f] {
        text.extend(char::from_digit(digit, 16));
    }
}

/// `SSH-<version>-<software>` in printable octets, with its line end.
fn is_plain_line(line: &[u8]) -> bool {
    let dashes = line.iter().filter(|&&octet| octet == b'-').count();
    dashes >= 2 && line.len() <= MAX_IDENTIFICATION && line.iter().all(|&octet| is_plain(octet))
}

fn is_plain(octet: u8) -> bool {
    octet.is_ascii_graphic() || matches!(octet, b' ' | b'\r' | b'\n')
}

/// Longest identification string with its line end (RFC 4253, section 4.2).
pub const MAX_IDENTIFICATION: usize = 255;

/// Longest line that OpenSSH's client takes, before the identification or as one.
pub const MAX_LINE: usize = 8192;

/// Longest packet that every implementation must take (RFC 4253, section 6.1); nobody's key exchange is longer.
pub const MAX_PACKET: usize = 35_000;

const PREFIX: &[u8] = b"SSH-";
const USUAL: [&[u8]; 4] = [b"SSH-2.0-", b"SSH-1.99", b"SSH-1.5-", b"SSH-1.3-"];

/// SSH_MSG_KEXINIT
pub(super) const KEXINIT: u8 = 20;
/// Random octets at the start of a KEXINIT.
const COOKIE: usize = 16;

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::assert_same_however_cut;

    /// A packet as RFC 4253, section 6 writes it, padded to a multiple of 8.
    pub(crate) fn packed(payload: &[u8]) -> Vec<u8> {
        let mut padding = 8 - (5 + payload.len()) % 8;
        if padding < 4 {
            padding += 8;
        }
        let length = u32::try_from(1 + payload.len() + padding).unwrap();
        let mut out = length.to_be_bytes().to_vec();
        out.push(u8::try_from(padding).unwrap());
        out.extend_from_slice(payload);
        out.extend(std::iter::repeat_n(0, padding));
        out
    }

    /// The payload of a KEXINIT with these ten lists.
    pub(crate) fn kexinit(lists: [&str; 10]) -> Vec<u8> {
        let mut out = vec![KEXINIT];
        out.extend([0xc0; COOKIE]);
        for list in lists {
            out.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
            out.extend_from_slice(list.as_bytes());
        }
        // first_kex_packet_follows, reserved
        out.extend([0, 0, 0, 0, 0]);
        out
    }

    pub(crate) const LISTS: [&str; 10] = [
        "curve25519-sha256,diffie-hellman-group14-sha256",
        "ssh-ed25519",
        "aes128-ctr",
        "aes256-ctr",
        "hmac-sha2-256",
        "hmac-sha2-512",
        "none,zlib@openssh.com",
        "none",
        "",
        "",
    ];

    #[test]
    fn identifications_end_with_lf_or_cr_lf_and_may_hold_odd_octets() {
        for (line, text, protocols) in [
            (
                &b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"[..],
                "SSH-2.0-OpenSSH_9.2p1 Debian-2",
                Protocols::Two,
            ),
            (b"SSH-2.0-Go\n", "SSH-2.0-Go", Protocols::Two),
            (
                b"SSH-1.99-Cisco-1.25\n",
                "SSH-1.99-Cisco-1.25",
                Protocols::Both,
            ),
            (b"SSH-1.5-1.2.27\n", "SSH-1.5-1.2.27", Protocols::One),
            (
                b"SSH-2.0-a\x00\xff\x1b[m\r\n",
                "SSH-2.0-a\\x00\\xff\\x1b[m",
                Protocols::Two,
            ),
            (
                b"SSH-chisel-v3-client\r\n",
                "SSH-chisel-v3-client",
                Protocols::Two,
            ),
        ] {
            assert_same_however_cut(identification, line);
            let Step::Done(found, used) = identification(line) else {
                panic!("{line:?}");
            };
            assert_eq!((found.text.as_str(), found.protocols), (text, protocols));
            assert_eq!(used, line.len());
        }
    }

    #[test]
    fn a_long_identification_is_cut_and_an_endless_one_refused() {
        let long = [&b"SSH-2.0-"[..], &[b'a'; 1000], b"\r\n"].concat();
        let Step::Done(found, used) = identification(&long) else {
            panic!()
        };
        assert_eq!((found.text.len(), used), (MAX_IDENTIFICATION, long.len()));
        let endless = [&b"SSH-2.0-"[..], &[b'a'; MAX_LINE]].concat();
        assert!(matches!(identification(&endless), Step::NotThisProtocol(_)));
    }

    #[test]
    fn an_opening_needs_a_usual_version_or_a_whole_plain_line() {
        for yes in [&b"SSH-2.0-"[..], b"SSH-1.99-x", b"SSH-chisel-v3-server\r\n"] {
            assert_same_however_cut(opening, yes);
            assert!(matches!(opening(yes), Step::Done((), _)), "{yes:?}");
        }
        for maybe in [&b""[..], b"SSH", b"SSH-2.0", b"SSH-chisel-v3"] {
            assert!(matches!(opening(maybe), Step::NeedMore(_)), "{maybe:?}");
        }
        for no in [
            &b"ssh-2.0-x"[..],
            b"SSH is fun\n",
            b"SSH-keys\r\n",
            b"SSH-\x00\x01",
            b"220 ftp",
        ] {
            assert!(matches!(opening(no), Step::NotThisProtocol(_)), "{no:?}");
        }
    }

    #[test]
    fn packets_are_read_however_cut_and_lengths_are_bounded() {
        let whole = packed(&[21]);
        assert_same_however_cut(
            |input| packet(input).map(|read| read.payload.to_vec()),
            &whole,
        );
        let Step::Done(read, used) = packet(&whole) else {
            panic!()
        };
        assert_eq!((read.number(), used), (21, whole.len()));
        for bad in [
            // packet_length
            &b"\x00\x00\x00\x05\x00"[..],
            b"\xff\xff\xff\xff\x04",
            b"\x00\x00\x88\xb9\x04",
            // packet_length 12, padding_length 12
            b"\x00\x00\x00\x0c\x0c\x15aaaaaaaaaa",
            // The same, while the packet is not whole.
            b"\x00\x00\x00\x0c\x0c\x15",
        ] {
            assert_same_however_cut(|input| packet(input).map(|read| read.payload.to_vec()), bad);
            assert!(matches!(packet(bad), Step::NotThisProtocol(_)), "{bad:?}");
        }
    }

    #[test]
    fn packets_of_protocol_one_are_read_however_cut() {
        // length 9 (type, 4 of data, check sum), 7 of padding
        let whole = b"\x00\x00\x00\x09ppppppp\x02ddddcccc";
        assert_same_however_cut(protocol_one_packet, whole);
        assert_eq!(
            protocol_one_packet(whole),
            Step::Done(ProtocolOnePacket { kind: 2 }, whole.len())
        );
        assert!(matches!(
            protocol_one_packet(b"\xff\xff\xff\xff"),
            Step::NotThisProtocol(_)
        ));
    }

    #[test]
    fn hassh_is_the_md5_of_the_lists_of_one_direction() {
        let init = key_exchange_init(&kexinit(LISTS)).unwrap();
        // printf 'curve25519-sha256,diffie-hellman-group14-sha256;aes128-ctr;hmac-sha2-256;none,zlib@openssh.com' | md5sum
        assert_eq!(init.hassh, "f8a56ebd9a68241d0999d22f6a434103");
        // ...;aes256-ctr;hmac-sha2-512;none
        assert_eq!(init.hassh_server, "9872d914bc3c6656730f743e57ac6262");
        assert!(!init.offers_rsa);
        let mut lists = LISTS;
        lists[0] = "rsa2048-sha256,curve25519-sha256";
        assert!(key_exchange_init(&kexinit(lists)).unwrap().offers_rsa);
        lists[0] = "curve25519-sha256,ext-info-s";
        let says = key_exchange_init(&kexinit(lists)).unwrap().says;
        assert_eq!(says, Some(Role::Server));
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        let whole = kexinit(LISTS);
        // Up to the last list that is read.
        let needed = 1 + COOKIE + LISTS[..8].iter().map(|list| 4 + list.len()).sum::<usize>();
        for cut in 0..needed {
            assert_eq!(key_exchange_init(&whole[..cut]), None, "cut at {cut}");
        }
        let mut lists = LISTS;
        lists[2] = "aes128-ctr\0";
        assert_eq!(key_exchange_init(&kexinit(lists)), None);
        // A length bomb in the first list.
        let mut bomb = whole;
        bomb[1 + COOKIE] = 0xff;
        assert_eq!(key_exchange_init(&bomb), None);
    }

    proptest! {
        #[test]
        fn nothing_changes_its_mind(input in proptest::collection::vec(any::<u8>(), 0..60)) {
            assert_same_however_cut(opening, &input);
            assert_same_however_cut(|input| packet(input).map(|read| read.payload.to_vec()), &input);
            assert_same_however_cut(protocol_one_packet, &input);
            let line = [b"SSH-", &input[..]].concat();
            assert_same_however_cut(opening, &line);
            assert_same_however_cut(identification, &line);
        }

        #[test]
        fn a_packet_gives_its_payload_back(payload in proptest::collection::vec(any::<u8>(), 1..600)) {
            let whole = packed(&payload);
            prop_assert_eq!(packet(&whole), Step::Done(Packet { payload: &payload }, whole.len()));
        }
    }
}
