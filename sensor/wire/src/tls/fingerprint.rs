//! JA3 (`salesforce/ja3`) and JA4 (`FoxIO-LLC/ja4`, the client's part).

use md5::Md5;
use sha2::{Digest, Sha256};

use super::extension::mix;
use super::{ClientHello, ExtensionType, Version, is_grease};

/// The first character of a JA4: what carries the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ja4Transport {
    /// `t`
    Tcp,
    /// `q`
    Quic,
    /// `d`
    Dtls,
}

impl ClientHello<'_> {
    /// JA3: the MD5 of `version,ciphers,extensions,groups,formats` as 32 hexadecimal digits. Numbers are decimal and in
    /// the order of the wire, GREASE is left out, an empty list is an empty field.
    #[must_use]
    pub fn ja3(&self) -> String {
        let mut text = Text::<Md5>::default();
        text.decimal(self.version.0);
        text.push(b',');
        text.joined(self.ciphers().map(|cipher| cipher.0));
        text.push(b',');
        text.joined(self.extensions.iter().map(|e| e.kind.0));
        text.push(b',');
        text.joined(self.groups());
        text.push(b',');
        text.joined(self.point_formats().map(u16::from));
        text.digest(32)
    }

    /// A number that is the same for two hellos of one JA3, at a hundredth of its cost; by chance alone it is so for others.
    #[must_use]
    pub fn shape(&self) -> u64 {
        let mut shape = u64::from(self.version.0);
        shape = mixed(self.ciphers().map(|cipher| cipher.0), shape);
        shape = mix(shape, self.extensions.kinds);
        shape = mixed(self.groups(), shape);
        mixed(self.point_formats().map(u16::from), shape)
    }

    /// JA4, for example `t13d1516h2_8daaf6152771_02713d6af862`.
    #[must_use]
    pub fn ja4(&self, transport: Ja4Transport) -> String {
        let mut ciphers: Vec<u16> = self
            .ciphers()
            .map(|cipher| cipher.0)
            .filter(|&cipher| !is_grease(cipher))
            .collect();
        ciphers.sort_unstable();
        let mut extensions: Vec<u16> = self
            .extensions
            .iter()
            .map(|extension| extension.kind.0)
            .filter(|&kind| !is_grease(kind))
            .collect();
        let extension_count = extensions.len();
        extensions
            .retain(|&kind| kind != ExtensionType::SERVER_NAME.0 && kind != ExtensionType::ALPN.0);
        extensions.sort_unstable();

        let mut text = String::with_capacity(36);
        text.push(match transport {
            Ja4Transport::Tcp => 't',
            Ja4Transport::Quic => 'q',
            Ja4Transport::Dtls => 'd',
        });
        text.push_str(version_mark(self.ja4_version(transport)));
        let named = self.extension(ExtensionType::SERVER_NAME).is_some();
        text.push(if named { 'd' } else { 'i' });
        for count in [ciphers.len(), extension_count] {
            let count = u32::try_from(count.min(99)).unwrap_or(99);
            text.extend([count / 10, count % 10].map(decimal_digit));
        }
        text.extend(alpn_mark(self.alpn().next().unwrap_or_default()));
        text.push('_');
        text.push_str(&hash_of(&ciphers, None));
        text.push('_');
        text.push_str(&hash_of(&extensions, Some(self)));
        text
    }

    /// The highest number of `supported_versions`, drafts and unknown ones included, else the legacy version. The
    /// numbers of DTLS go down: there it is the highest version.
    fn ja4_version(&self, transport: Ja4Transport) -> Version {
        match transport {
            Ja4Transport::Tcp | Ja4Transport::Quic => {
                self.supported_versions().max().unwrap_or(self.version)
            }
            Ja4Transport::Dtls => self.highest_version(),
        }
    }
}

/// The numbers without GREASE, mixed into what stands before them.
fn mixed(numbers: impl Iterator<Item = u16>, before: u64) -> u64 {
    let hash = numbers
        .filter(|&number| !is_grease(number))
        .fold(before, |hash, number| mix(hash, u64::from(number)));
    // The place of each list is marked by a number that is none of 16 bits.
    mix(hash, 1 << 16)
}

fn version_mark(version: Version) -> &'static str {
    match version {
        Version::TLS_1_3 => "13",
        Version::TLS_1_2 => "12",
        Version::TLS_1_1 => "11",
        Version::TLS_1_0 => "10",
        Version::SSL_3 => "s3",
        Version::SSL_2 => "s2",
        Version::DTLS_1_0 => "d1",
        Version::DTLS_1_2 => "d2",
        Version::DTLS_1_3 => "d3",
        _ => "00",
    }
}

/// First and last octet of the first protocol, or, when one of them is no letter or digit, the first and last digit of
/// its hexadecimal form. `00` without ALPN.
fn alpn_mark(protocol: &[u8]) -> [char; 2] {
    match (protocol.first(), protocol.last()) {
        (Some(&first), Some(&last)) => {
            if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
                [char::from(first), char::from(last)]
            } else {
                [hex_digit(first >> 4), hex_digit(last & 0x0f)]
            }
        }
        _ => ['0', '0'],
    }
}

fn decimal_digit(value: u32) -> char {
    char::from_digit(value, 10).unwrap_or('0')
}

fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0')
}

/// The first 12 digits of the SHA-256 of the list, and of the signature algorithms of a hello behind it; twelve zeros
/// for an empty list.
fn hash_of(sorted: &[u16], signatures_of: Option<&ClientHello<'_>>) -> String {
    if sorted.is_empty() {
        return "000000000000".to_owned();
    }
    let mut text = Text::<Sha256>::default();
    for (place, &value) in sorted.iter().enumerate() {
        if place > 0 {
            text.push(b',');
        }
        text.hexadecimal(value);
    }
    if let Some(hello) = signatures_of {
        let mut mark = b'_';
        for algorithm in hello.signature_algorithms() {
            if !is_grease(algorithm) {
                text.push(mark);
                text.hexadecimal(algorithm);
                mark = b',';
            }
        }
    }
    text.digest(12)
}

/// Text that is hashed while it is written: a hello of 64 KiB needs no text of its own. Every hello has two of them, so
/// numbers are not formatted by way of [`std::fmt`], which takes longer than the hash.
struct Text<D> {
    hash: D,
    /// Not hashed yet: as much as a hash takes at a time, or twice that.
    waiting: [u8; 128],
    length: usize,
}

impl<D: Digest> Default for Text<D> {
    fn default() -> Self {
        Self {
            hash: D::new(),
            waiting: [0; 128],
            length: 0,
        }
    }
}

impl<D: Digest> Text<D> {
    fn push(&mut self, octet: u8) {
        if self.length == self.waiting.len() {
            self.hash.update(self.waiting);
            self.length = 0;
        }
        if let Some(place) = self.waiting.get_mut(self.length) {
            *place = octet;
            self.length += 1;
        }
    }

    fn decimal(&mut self, number: u16) {
        let leading = [10_000, 1000, 100, 10].into_iter();
        for power in leading.skip_while(|&power| power > number) {
            self.push(b'0' + (number / power % 10) as u8);
        }
        self.push(b'0' + (number % 10) as u8);
    }

    /// Four digits.
    fn hexadecimal(&mut self, number: u16) {
        for octet in number.to_be_bytes() {
            for digit in [octet >> 4, octet & 0x0f] {
                self.push(hex_digit(digit) as u8);
            }
        }
    }

    /// The numbers without GREASE, joined by `-`.
    fn joined(&mut self, numbers: impl Iterator<Item = u16>) {
        for (place, number) in numbers.filter(|&number| !is_grease(number)).enumerate() {
            if place > 0 {
                self.push(b'-');
            }
            self.decimal(number);
        }
    }

    /// The first hexadecimal digits of the hash.
    fn digest(mut self, digits: usize) -> String {
        self.hash
            .update(self.waiting.get(..self.length).unwrap_or_default());
        let hash = self.hash.finalize();
        hash.iter()
            .flat_map(|&octet| [octet >> 4, octet & 0x0f])
            .map(hex_digit)
            .take(digits)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{client_hello, samples};

    fn ja3(
        version: u16,
        ciphers: &[u16],
        extensions: Option<&[samples::SampleExtension]>,
    ) -> String {
        client_hello(&samples::client_hello(version, ciphers, extensions))
            .unwrap()
            .ja3()
    }

    fn ja4(
        version: u16,
        ciphers: &[u16],
        extensions: Option<&[samples::SampleExtension]>,
    ) -> String {
        client_hello(&samples::client_hello(version, ciphers, extensions))
            .unwrap()
            .ja4(Ja4Transport::Tcp)
    }

    #[test]
    fn gives_the_ja3_of_the_definitions_first_example() {
        // 769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0
        let ciphers = [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4];
        let extensions = [
            samples::sni("a"),
            (10, vec![0, 6, 0, 23, 0, 24, 0, 25]),
            (11, vec![1, 0]),
        ];
        assert_eq!(
            ja3(769, &ciphers, Some(&extensions)),
            "ada70206e40642a3e4461f35503241d5"
        );
    }

    #[test]
    fn gives_the_ja3_of_the_definitions_example_without_extensions() {
        // 769,4-5-10-9-100-98-3-6-19-18-99,,,
        let ciphers = [4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99];
        assert_eq!(ja3(769, &ciphers, None), "de350869b8c85de67a350c8d186f11e6");
        assert!(ja4(769, &ciphers, None).starts_with("t10i110000_"));
        assert!(ja4(769, &ciphers, None).ends_with("_000000000000"));
    }

    #[test]
    fn gives_the_ja4_of_the_definitions_example() {
        let body = samples::chrome("www.example.com");
        let hello = client_hello(&body).unwrap();
        assert_eq!(
            hello.ja4(Ja4Transport::Tcp),
            "t13d1516h2_8daaf6152771_e5627efa2ab1"
        );
        assert!(hello.ja4(Ja4Transport::Quic).starts_with("q13"));
    }

    #[test]
    fn leaves_out_no_value_that_only_resembles_grease() {
        let with = ja3(769, &[0x1a2a, 47], None);
        assert_ne!(with, ja3(769, &[47], None));
        assert_eq!(ja3(769, &[0x1a1a, 47], None), ja3(769, &[47], None));
        assert!(ja4(769, &[0x1a2a], None).starts_with("t10i0100"));
    }

    #[test]
    fn marks_alpn_by_its_first_and_last_octet() {
        for (protocol, mark) in [
            (&b""[..], "00"),
            (b"h2", "h2"),
            (b"http/1.1", "h1"),
            (b"x", "xx"),
            (&[0xab], "ab"),
            (&[0xab, 0xcd], "ad"),
            (&[0x30, 0xab], "3b"),
            (&[0x30, 0x31, 0xab, 0xcd], "3d"),
            (&[0x30, 0xab, 0xcd, 0x31], "01"),
        ] {
            assert_eq!(alpn_mark(protocol).iter().collect::<String>(), mark);
        }
    }

    #[test]
    fn marks_versions() {
        let versions = |list: &[u8]| Some([(43, list.to_vec())]);
        for (legacy, extension, mark) in [
            (0x0300, None, "ts3"),
            (0x0302, None, "t11"),
            (0x0303, versions(&[4, 0x0a, 0x0a, 3, 4]), "t13"),
            (0x0303, versions(&[4, 3, 2, 3, 1]), "t11"),
            (0x0303, versions(&[4, 3, 3, 0x7f, 0x13]), "t00"), // a draft
            (0x0303, versions(&[2, 0x0a, 0x0a]), "t12"),       // GREASE alone
            (0x0305, None, "t00"),
        ] {
            let ja4 = ja4(legacy, &[47], extension.as_ref().map(|list| &list[..]));
            assert!(ja4.starts_with(mark), "{ja4} {mark}");
        }
    }

    #[test]
    fn marks_the_versions_of_dtls() {
        for (legacy, list, mark) in [
            (0xfeff, None, "dd1"),
            (0xfefd, None, "dd2"),
            (0xfefd, Some(vec![4, 0xfe, 0xfd, 0xfe, 0xfc]), "dd3"),
        ] {
            let extensions = list.map(|list| [(43, list)]);
            let body = samples::client_hello(legacy, &[47], extensions.as_ref().map(|e| &e[..]));
            let ja4 = client_hello(&body).unwrap().ja4(Ja4Transport::Dtls);
            assert!(ja4.starts_with(mark), "{ja4} {mark}");
        }
    }

    #[test]
    fn counts_no_further_than_99() {
        let ciphers: Vec<u16> = (0..200).collect();
        assert!(ja4(771, &ciphers, None).starts_with("t12i9900"));
    }
}
