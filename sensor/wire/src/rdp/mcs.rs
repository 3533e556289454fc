//! MCS Connect Initial and Connect Response (T.125 section 7, in BER) with the GCC messages inside (T.124 section 8.7, in
//! PER). Only as much of both encodings as stands between the start of a message and the settings.

use crate::Reader;

use super::settings::{ClientSettings, ServerSettings};

/// Reads a client's Connect Initial, the content of an X.224 data TPDU (MS-RDPBCGR 2.2.1.3).
#[must_use]
pub fn connect_initial(data: &[u8]) -> Option<ClientSettings> {
    let mut body = element(&mut Reader::new(data), CONNECT_INITIAL)?;
    // Calling and called domain selector, upward flag; target, minimum and maximum domain parameters.
    for tag in [
        OCTET_STRING,
        OCTET_STRING,
        BOOLEAN,
        SEQUENCE,
        SEQUENCE,
        SEQUENCE,
    ] {
        element(&mut body, &[tag])?;
    }
    let user_data = element(&mut body, &[OCTET_STRING])?;
    conference_data(user_data.rest(), CLIENT_KEY).map(ClientSettings::read)
}

/// Reads a server's Connect Response, the content of an X.224 data TPDU (MS-RDPBCGR 2.2.1.4).
#[must_use]
pub fn connect_response(data: &[u8]) -> Option<ServerSettings> {
    let mut body = element(&mut Reader::new(data), CONNECT_RESPONSE)?;
    // Result, called connect id, domain parameters.
    for tag in [ENUMERATED, INTEGER, SEQUENCE] {
        element(&mut body, &[tag])?;
    }
    let user_data = element(&mut body, &[OCTET_STRING])?;
    conference_data(user_data.rest(), SERVER_KEY).map(ServerSettings::read)
}

/// The content of the next element, if it has this tag and a definite length. A content that the message cuts short is
/// given as far as it goes: the settings before the cut are still good.
fn element<'a>(reader: &mut Reader<'a>, tag: &[u8]) -> Option<Reader<'a>> {
    if reader.take(tag.len())? != tag {
        return None;
    }
    let length = match reader.u8()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(reader.u8()?),
        0x82 => usize::from(reader.u16_be()?),
        0x83 => usize::try_from(reader.u24_be()?).ok()?,
        0x84 => usize::try_from(reader.u32_be()?).ok()?,
        // Indefinite (0x80), or longer than any TPKT.
        _ => return None,
    };
    reader.sub(length.min(reader.left()))
}

/// The settings in a GCC Conference Create Request or Response: what follows the H.221 key and its length.
///
/// Everything before the key has fixed values in RDP, some of them wrong (servers write 0x2a for the length of the
/// connect PDU whatever it is), so the key is the anchor.
fn conference_data<'a>(user_data: &'a [u8], key: &[u8; 4]) -> Option<&'a [u8]> {
    let searched = user_data.get(..MAX_BEFORE_KEY).unwrap_or(user_data);
    let found = searched.windows(key.len()).position(|at| at == key)?;
    let mut reader = Reader::new(user_data.get(found + key.len()..)?);
    let length = match reader.u8()? {
        short @ 0..=0x7f => usize::from(short),
        upper @ 0x80..=0xbf => usize::from(upper & 0x3f) << 8 | usize::from(reader.u8()?),
        // Fragments of 16 KiB: RDP's settings are never that long.
        _ => return None,
    };
    reader.take(length.min(reader.left()))
}

/// The key follows 19 octets in a request and 17 in a response; a conference name could make it more.
const MAX_BEFORE_KEY: usize = 64;
/// H.221 non-standard keys (MS-RDPBCGR 2.2.1.3, 2.2.1.4).
const CLIENT_KEY: &[u8; 4] = b"Duca";
const SERVER_KEY: &[u8; 4] = b"McDn";

/// `[APPLICATION 101]`, `[APPLICATION 102]`.
const CONNECT_INITIAL: &[u8] = &[0x7f, 0x65];
const CONNECT_RESPONSE: &[u8] = &[0x7f, 0x66];
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::super::{BuildName, KeyboardName, MAX_CHANNELS, ServerCertificate, Tpdu, tpdu};
    use super::*;
    use crate::Step;

    fn content(message: &[u8]) -> &[u8] {
        match tpdu(message) {
            Step::Done(Tpdu::Data(data), used) if used == message.len() => data,
            other => panic!("{other:?}"),
        }
    }

    fn client(blocks: &[Vec<u8>]) -> ClientSettings {
        connect_initial(content(&samples::connect_initial(blocks))).unwrap()
    }

    fn server(blocks: &[Vec<u8>]) -> ServerSettings {
        connect_response(content(&samples::connect_response(blocks))).unwrap()
    }

    #[test]
    fn reads_what_a_client_says_of_itself() {
        let settings = client(&[
            samples::core("FRONT-DESK", 2600, 0x409),
            samples::block(0xc004, &[0x0d, 0, 0, 0, 0x07, 0, 0, 0]),
            samples::block(0xc002, &[0x1b, 0, 0, 0, 0, 0, 0, 0]),
            samples::channels(&["rdpdr", "cliprdr", "rdpsnd"]),
        ]);
        let core = settings.core.unwrap();
        assert_eq!(core.name, "FRONT-DESK");
        assert_eq!((core.width, core.height), (1280, 1024));
        assert_eq!(BuildName(core.build).to_string(), "2600 (Windows XP)");
        let keyboard = KeyboardName(core.keyboard_layout).to_string();
        assert_eq!(keyboard, "0x00000409 (en-US)");
        assert_eq!(core.keyboard_type, Some(4));
        assert_eq!(settings.encryption_methods, Some(0x1b));
        assert_eq!(
            settings.cluster.map(|c| (c.flags, c.session_id)),
            Some((0x0d, 7))
        );
        let names: Vec<_> = settings.channels.iter().map(|c| &c.name[..]).collect();
        assert_eq!(names, ["rdpdr", "cliprdr", "rdpsnd"]);
        assert_eq!(settings.channels[0].options, 0x8080_0000);
        assert!(!settings.asks_for_ms_t120);
    }

    #[test]
    fn reads_the_settings_in_any_order_and_without_some() {
        let settings = client(&[
            samples::channels(&["drdynvc"]),
            samples::block(0xc00a, &[0; 4]),
            samples::core("", 1, 0),
        ]);
        assert_eq!(settings.core.unwrap().name, "");
        assert_eq!(settings.channels.len(), 1);
        assert_eq!(settings.cluster, None);
        assert_eq!(client(&[]), ClientSettings::default());
    }

    #[test]
    fn notes_the_channel_of_bluekeep_wherever_it_stands() {
        assert!(client(&[samples::channels(&["rdpdr", "ms_T120"])]).asks_for_ms_t120);
        let mut names = vec!["x"; 40];
        names.push("MS_T120");
        let settings = client(&[samples::channels(&names)]);
        assert!(settings.asks_for_ms_t120);
        assert_eq!(settings.channels.len(), MAX_CHANNELS);
        assert_eq!(settings.channel_count, 41);
    }

    #[test]
    fn survives_a_channel_count_without_channels() {
        let settings = client(&[samples::block(0xc003, &[0xff; 6])]);
        assert_eq!(settings.channel_count, u32::MAX);
        assert_eq!(settings.channels.len(), 0);
    }

    #[test]
    fn reads_what_a_server_chose() {
        let mut security = vec![
            0x02, 0x00, 0x00, 0x00, // method: 128 bit
            0x03, 0x00, 0x00, 0x00, // level: high
            0x04, 0x00, 0x00, 0x00, // random of 4 octets (32 in truth)
            0x1c, 0x00, 0x00, 0x00, // certificate of 28 octets
            0xaa, 0xaa, 0xaa, 0xaa, // random
        ];
        security.extend([
            0x01, 0x00, 0x00, 0x00, // proprietary
            0x01, 0x00, 0x00, 0x00, // signed with RSA
            0x01, 0x00, 0x00, 0x00, // key of RSA
            0x06, 0x00, 0x5c, 0x00, // type and length of the key
            0x52, 0x53, 0x41, 0x31, // RSA1
            0x48, 0x00, 0x00, 0x00, // 72 octets
            0x00, 0x02, 0x00, 0x00, // 512 bits
        ]);
        let settings = server(&[
            samples::block(0x0c01, &[0x04, 0, 8, 0, 0, 0, 0, 0]),
            samples::block(0x0c03, &[0xeb, 0x03, 0, 0]),
            samples::block(0x0c02, &security),
        ]);
        assert_eq!(settings.version, Some(0x0008_0004));
        assert_eq!(settings.requested, Some(0));
        assert_eq!(settings.encryption_method, Some(2));
        assert_eq!(settings.encryption_level, Some(3));
        assert_eq!(
            settings.certificate,
            Some(ServerCertificate::Proprietary {
                key_bits: Some(512)
            })
        );
    }

    #[test]
    fn keeps_the_last_certificate_of_a_chain() {
        let security = [
            0x02, 0, 0, 0, 0x02, 0, 0, 0, // method, level
            0x00, 0, 0, 0, 0x16, 0, 0, 0, // no random, certificate of 22 octets
            0x02, 0, 0, 0x80, // X.509, temporary
            0x02, 0, 0, 0, // two of them
            0x02, 0, 0, 0, 0x30, 0x00, // the licence server's
            0x04, 0, 0, 0, 0x30, 0x02, 0x05, 0x00, // the server's own
        ];
        let settings = server(&[samples::block(0x0c02, &security)]);
        assert_eq!(
            settings.certificate,
            Some(ServerCertificate::X509 {
                der: Some(vec![0x30, 0x02, 0x05, 0x00])
            })
        );
        // Encryption may be off: then there is nothing after the level.
        let none = server(&[samples::block(0x0c02, &[0; 8])]);
        assert_eq!(none.encryption_method, Some(0));
        assert_eq!(none.certificate, None);
    }

    #[test]
    fn refuses_indefinite_and_absurd_lengths() {
        let message = samples::connect_initial(&[samples::core("A", 1, 1)]);
        let data = content(&message);
        // The outer length is at 2: indefinite, then longer than any number of octets it may have.
        for length in [0x80, 0x85, 0xff] {
            let mut bad = data.to_vec();
            bad[2] = length;
            assert_eq!(connect_initial(&bad), None);
        }
        assert_eq!(connect_response(data), None);
    }

    #[test]
    fn reads_up_to_where_a_message_was_cut() {
        let message = samples::connect_initial(&[
            samples::core("FRONT-DESK", 2600, 0x409),
            samples::channels(&["rdpdr", "cliprdr"]),
        ]);
        let data = content(&message);
        for cut in 0..data.len() {
            let _ = connect_initial(&data[..cut]);
        }
        let without_last_channel = &data[..data.len() - 1];
        let settings = connect_initial(without_last_channel).unwrap();
        assert_eq!(settings.core.unwrap().name, "FRONT-DESK");
        assert_eq!(settings.channels.len(), 1);
    }

    #[test]
    fn names_what_is_known_and_numbers_the_rest() {
        assert_eq!(BuildName(26100).to_string(), "26100 (Windows 11 24H2)");
        assert_eq!(BuildName(4711).to_string(), "4711");
        // A variant has the language of its lower half.
        assert_eq!(KeyboardName(0x0001_0407).to_string(), "0x00010407 (de-DE)");
        assert_eq!(KeyboardName(0x0000_ffff).to_string(), "0x0000ffff");
    }
}
