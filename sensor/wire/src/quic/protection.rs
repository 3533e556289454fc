//! The protection of Initial packets (RFC 9001, section 5): keys that follow from a connection id, which everybody sees.

use aes::cipher::BlockEncrypt;
use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::{Aes128Gcm, Key, Nonce, Tag};
use hkdf::Hkdf;
use sha2::Sha256;

use super::frame::{Extent, begins_hello};
use super::message::{ConnectionId, Protected};
use super::version::{Labels, Suite};

/// The keys of the client's Initial packets of one connection.
#[derive(Clone)]
pub struct Keys {
    payload: Aes128Gcm,
    header: aes::Aes128,
    iv: [u8; 12],
}

impl Keys {
    /// By the id that the client chose for the server, or that the server's Retry gave it.
    #[must_use]
    pub fn client(suite: Suite, destination: &ConnectionId) -> Self {
        Self::derive(suite, destination, "client in")
    }

    fn derive(suite: Suite, destination: &ConnectionId, side: &str) -> Self {
        let (key, iv, hp) = match suite.labels {
            Labels::V1 => ("quic key", "quic iv", "quic hp"),
            Labels::V2 => ("quicv2 key", "quicv2 iv", "quicv2 hp"),
        };
        let extracted = Hkdf::<Sha256>::new(Some(&suite.salt), destination.as_slice());
        let secret: [u8; 32] = expand(&extracted, side);
        // 32 octets are a whole key of the hash, which is the only length that is refused.
        let expanded = Hkdf::<Sha256>::from_prk(&secret).unwrap_or(extracted);
        let (key, hp): ([u8; 16], [u8; 16]) = (expand(&expanded, key), expand(&expanded, hp));
        Self {
            payload: Aes128Gcm::new(Key::<Aes128Gcm>::from_slice(&key)),
            header: aes::Aes128::new(&hp.into()),
            iv: expand(&expanded, iv),
        }
    }

    /// Takes the protection off a packet. `largest` is the largest packet number that these keys have opened;
    /// `None` when the packet was not protected with these keys. Of a packet that the capture cut, the tag is missing:
    /// it counts as opened when it begins a hello.
    #[must_use]
    pub fn open(&self, packet: Protected<'_>, largest: Option<u64>) -> Option<Opened> {
        let (header, sealed) = packet.octets.split_at_checked(packet.number_at)?;
        // The sample is taken as if the packet number had four octets (RFC 9001, section 5.4.2).
        let mask = self.mask(sealed.get(MAX_NUMBER..)?.first_chunk()?);
        let first = header.first()? ^ mask.first()? & 0x0f;
        let length = usize::from(first & 3) + 1;
        let (number, sealed) = sealed.split_at_checked(length)?;
        let mut clear = header.to_vec();
        *clear.first_mut()? = first;
        let pad = mask.get(1..)?;
        clear.extend(number.iter().zip(pad).map(|(octet, pad)| octet ^ pad));
        let short = clear
            .get(header.len()..)?
            .iter()
            .fold(0, |number, &octet| number << 8 | u64::from(octet));
        let number = whole_number(short, length, largest);
        if packet.missing > 0 {
            return self.peek(number, sealed, packet.missing);
        }
        let (payload, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
        let mut payload = payload.to_vec();
        self.payload
            .decrypt_in_place_detached(
                Nonce::from_slice(&self.nonce(number)),
                &clear,
                &mut payload,
                Tag::from_slice(tag),
            )
            .ok()?;
        Some(Opened {
            number,
            payload,
            extent: Extent::Whole,
        })
    }

    /// What there is of a packet that lacks so many octets of its end.
    fn peek(&self, number: u64, sealed: &[u8], missing: usize) -> Option<Opened> {
        let end = sealed.len().checked_sub(TAG.saturating_sub(missing))?;
        let mut payload = sealed.get(..end)?.to_vec();
        // A stream cipher takes its own work back; without a tag there is nothing else to decrypt with.
        let nonce = self.nonce(number);
        self.payload
            .encrypt_in_place_detached(Nonce::from_slice(&nonce), &[], &mut payload)
            .ok()?;
        begins_hello(&payload).then_some(Opened {
            number,
            payload,
            extent: Extent::Cut,
        })
    }

    fn mask(&self, sample: &[u8; 16]) -> [u8; 16] {
        let mut block = (*sample).into();
        self.header.encrypt_block(&mut block);
        block.into()
    }

    fn nonce(&self, number: u64) -> [u8; 12] {
        let mut nonce = self.iv;
        for (octet, part) in nonce.iter_mut().rev().zip(number.to_le_bytes()) {
            *octet ^= part;
        }
        nonce
    }

    /// Protects a packet: `header` ends with its number, of four octets.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn seal(&self, header: &[u8], number: u32, payload: &[u8]) -> Vec<u8> {
        let mut sealed = payload.to_vec();
        let nonce = self.nonce(u64::from(number));
        let tag = self
            .payload
            .encrypt_in_place_detached(Nonce::from_slice(&nonce), header, &mut sealed)
            .unwrap_or_default();
        sealed.extend_from_slice(&tag);
        let sample = sealed.first_chunk().copied().unwrap_or_default();
        let mask = self.mask(&sample);
        let mut octets = header.to_vec();
        let number_at = octets.len().saturating_sub(MAX_NUMBER);
        let protected = octets.iter_mut().skip(number_at);
        protected
            .zip(&mask[1..])
            .for_each(|(octet, pad)| *octet ^= pad);
        octets
            .iter_mut()
            .take(1)
            .for_each(|first| *first ^= mask[0] & 0x0f);
        octets.extend(sealed);
        octets
    }
}

/// A packet without its protection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Packet number.
    pub number: u64,
    /// Frames.
    pub payload: Vec<u8>,
    /// Whether all of them are there, and the cipher's tag has vouched for them.
    pub extent: Extent,
}

/// HKDF-Expand-Label of TLS 1.3 with an empty context (RFC 8446, section 7.1).
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &str) -> [u8; N] {
    let mut octets = [0; N];
    let length = (N as u16).to_be_bytes();
    let label_length = [(PREFIX.len() + label.len()) as u8];
    // Only a length of more than 255 hashes is refused.
    let _ = secret.expand_multi_info(
        &[&length, &label_length, PREFIX, label.as_bytes(), &[0]],
        &mut octets,
    );
    octets
}

/// The number whose last octets are given, nearest to the next one (RFC 9000, section A.3).
fn whole_number(short: u64, length: usize, largest: Option<u64>) -> u64 {
    let next = largest.map_or(0, |largest| largest.saturating_add(1));
    let window = 1_u64 << (8 * length);
    let candidate = next & !(window - 1) | short;
    if candidate.saturating_add(window / 2) <= next && candidate < MAX_PACKET_NUMBER - window {
        candidate + window
    } else if candidate > next.saturating_add(window / 2) && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

/// Before each label of TLS 1.3.
const PREFIX: &[u8] = b"tls13 ";
/// Octets of a packet number at most.
const MAX_NUMBER: usize = 4;
/// Octets of the tag of AES-128-GCM.
const TAG: usize = 16;
/// One more than the largest packet number.
const MAX_PACKET_NUMBER: u64 = 1 << 62;

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn derives_the_keys_of_the_documents_examples() {
        for (suite, iv, sample, mask) in [
            // RFC 9001, sections A.1 and A.2
            (
                Suite::V1,
                "fa044b2f42a3fd3b46fb255c",
                "d1b1c98dd7689fb8ec11d242b123dc9b",
                "437b9aec36",
            ),
            // RFC 9369, sections A.1 and A.2
            (
                Suite::V2,
                "91f73e2351d8fa91660e909f",
                "ffe67b6abcdb4298b485dd04de806071",
                "94a0c95e80",
            ),
        ] {
            let keys = Keys::client(suite, &ConnectionId::new(&ID).unwrap());
            assert_eq!(keys.iv.to_vec(), hex(iv));
            let sample: [u8; 16] = hex(sample).try_into().unwrap();
            assert_eq!(keys.mask(&sample)[..5], hex(mask));
        }
    }

    #[test]
    fn finds_the_number_nearest_to_the_next() {
        // RFC 9000, section A.3
        assert_eq!(whole_number(0x9b32, 2, Some(0xa82f_30ea)), 0xa82f_9b32);
        assert_eq!(whole_number(0, 1, None), 0);
        assert_eq!(whole_number(255, 1, None), 255);
        assert_eq!(whole_number(2, 1, Some(250)), 258);
        assert_eq!(whole_number(250, 1, Some(258)), 250);
        assert_eq!(whole_number(0x0049_0d72, 4, None), 0x0049_0d72);
    }

    #[test]
    fn opens_what_was_sealed_and_nothing_else() {
        let id = ConnectionId::new(&ID).unwrap();
        let keys = Keys::client(Suite::V1, &id);
        let header = [0xc3, 0, 0, 0, 1, 0, 0, 0, 0x40, 40, 0, 0, 0, 7];
        let octets = keys.seal(&header, 7, &[1; 20]);
        fn packet(octets: &[u8]) -> Protected<'_> {
            Protected {
                octets,
                missing: 0,
                number_at: 10,
            }
        }
        let opened = keys.open(packet(&octets), None).unwrap();
        assert_eq!((opened.number, opened.payload), (7, vec![1; 20]));
        let other = Keys::client(Suite::V2, &id);
        assert_eq!(other.open(packet(&octets), None), None);
        for place in 0..octets.len() {
            let mut changed = octets.clone();
            changed[place] ^= 0x20;
            assert_eq!(keys.open(packet(&changed), None), None, "{place}");
            assert_eq!(keys.open(packet(&octets[..place]), None), None);
        }
    }
}
