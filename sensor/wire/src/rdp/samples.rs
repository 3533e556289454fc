//! Octets for the tests, laid out as in MS-RDPBCGR section 4.1 and in captures; names and addresses are invented.

/// A TPKT around a TPDU.
pub(super) fn tpkt(tpdu: &[u8]) -> Vec<u8> {
    let length = u16::try_from(tpdu.len() + 4).unwrap();
    let mut message = vec![0x03, 0x00];
    message.extend(length.to_be_bytes());
    message.extend(tpdu);
    message
}

/// A Connection Request with this variable part; the length indicator wraps as FreeRDP's does.
pub(super) fn request(variable: &[u8]) -> Vec<u8> {
    let mut tpdu = vec![(variable.len() + 6) as u8];
    tpdu.extend([0xe0, 0x00, 0x00, 0x00, 0x00, 0x00]);
    tpdu.extend(variable);
    tpkt(&tpdu)
}

/// The Connection Request of mstsc: a cookie and what it asks for.
pub(super) fn cookie_request(name: &str, protocols: u32) -> Vec<u8> {
    let mut variable = format!("Cookie: mstshash={name}\r\n").into_bytes();
    variable.extend([0x01, 0x00, 0x08, 0x00]);
    variable.extend(protocols.to_le_bytes());
    request(&variable)
}

/// Windows 10 that asks for CredSSP_EX sends no cookie.
pub(super) const REQUEST_WITHOUT_COOKIE: &[u8] = &[
    0x03, 0x00, 0x00, 0x13, // TPKT: version, reserved, length 19
    0x0e, 0xe0, // X.224: length indicator, Connection Request
    0x00, 0x00, 0x00, 0x00, 0x00, // references, class
    0x01, 0x00, 0x08, 0x00, // RDP_NEG_REQ: type, flags, length 8
    0x0b, 0x00, 0x00, 0x00, // TLS, CredSSP, CredSSP_EX
];

/// A server that does not negotiate.
pub(super) const BARE_CONFIRM: &[u8] = &[
    0x03, 0x00, 0x00, 0x0b, // TPKT: length 11
    0x06, 0xd0, // X.224: length indicator, Connection Confirm
    0x00, 0x00, 0x12, 0x34, 0x00, // references, class
];

/// A Connection Confirm of a Microsoft server: RDP_NEG_RSP (2) or RDP_NEG_FAILURE (3).
pub(super) fn confirm(kind: u8, flags: u8, value: u32) -> Vec<u8> {
    let mut tpdu = vec![0x0e, 0xd0, 0x00, 0x00, 0x12, 0x34, 0x00];
    tpdu.extend([kind, flags, 0x08, 0x00]);
    tpdu.extend(value.to_le_bytes());
    tpkt(&tpdu)
}

/// An X.224 data TPDU.
pub(super) fn data(content: &[u8]) -> Vec<u8> {
    let mut tpdu = vec![0x02, 0xf0, 0x80];
    tpdu.extend(content);
    tpkt(&tpdu)
}

/// One block of settings.
pub(super) fn block(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut block = kind.to_le_bytes().to_vec();
    block.extend(u16::try_from(body.len() + 4).unwrap().to_le_bytes());
    block.extend(body);
    block
}

/// CS_CORE of a client with this name, build and keyboard.
pub(super) fn core(name: &str, build: u32, keyboard: u32) -> Vec<u8> {
    let mut body = vec![
        0x04, 0x00, 0x08, 0x00, // version 0x00080004
        0x00, 0x05, 0x00, 0x04, // 1280 x 1024
        0x01, 0xca, 0x03, 0xaa, // colour depth, secure attention sequence
    ];
    body.extend(keyboard.to_le_bytes());
    body.extend(build.to_le_bytes());
    let mut units: Vec<u16> = name.encode_utf16().collect();
    units.resize(16, 0);
    body.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    body.extend(4u32.to_le_bytes()); // keyboard type
    body.extend([0; 72]); // sub-type, function keys, input method
    block(0xc001, &body)
}

/// CS_NET with these channels.
pub(super) fn channels(names: &[&str]) -> Vec<u8> {
    let mut body = u32::try_from(names.len()).unwrap().to_le_bytes().to_vec();
    for name in names {
        let mut padded = name.as_bytes().to_vec();
        padded.resize(8, 0);
        body.extend(padded);
        body.extend([0x00, 0x00, 0x80, 0x80]);
    }
    block(0xc003, &body)
}

/// An MCS Connect Initial around these blocks, as an X.224 data TPDU.
pub(super) fn connect_initial(blocks: &[Vec<u8>]) -> Vec<u8> {
    let blocks = blocks.concat();
    let mut conference = vec![
        0x00, 0x05, 0x00, 0x14, 0x7c, 0x00, 0x01, // key: object 0.0.20.124.0.1
    ];
    conference.extend(per_length(blocks.len() + 14));
    conference.extend([0x00, 0x08, 0x00, 0x10, 0x00, 0x01, 0xc0, 0x00]); // ConferenceCreateRequest
    conference.extend(b"Duca");
    conference.extend(per_length(blocks.len()));
    conference.extend(blocks);
    let mut body = vec![
        0x04, 0x01, 0x01, 0x04, 0x01, 0x01, // calling and called domain selector
        0x01, 0x01, 0xff, // upward flag
        0x30, 0x03, 0x02, 0x01, 0x22, // target parameters
        0x30, 0x03, 0x02, 0x01, 0x01, // minimum parameters
        0x30, 0x04, 0x02, 0x02, 0xff, 0xff, // maximum parameters
    ];
    body.extend(octet_string(&conference));
    data(&tagged(&[0x7f, 0x65], &body))
}

/// An MCS Connect Response around these blocks, as an X.224 data TPDU.
pub(super) fn connect_response(blocks: &[Vec<u8>]) -> Vec<u8> {
    let blocks = blocks.concat();
    let mut conference = vec![
        0x00, 0x05, 0x00, 0x14, 0x7c, 0x00, 0x01, // key: object 0.0.20.124.0.1
        0x2a, // length of the connect PDU, wrong as in Microsoft's servers
        0x14, 0x76, 0x0a, 0x01, 0x01, 0x00, 0x01, 0xc0, 0x00, // ConferenceCreateResponse
    ];
    conference.extend(b"McDn");
    conference.extend(per_length(blocks.len()));
    conference.extend(blocks);
    let mut body = vec![
        0x0a, 0x01, 0x00, // result: successful
        0x02, 0x01, 0x00, // called connect id
        0x30, 0x03, 0x02, 0x01, 0x22, // domain parameters
    ];
    body.extend(octet_string(&conference));
    data(&tagged(&[0x7f, 0x66], &body))
}

/// The start of a ClientHello (1) or ServerHello (2): a record that is whole, a message that is not decoded here.
pub(super) fn hello(kind: u8) -> Vec<u8> {
    let mut record = vec![
        0x16, 0x03, 0x01, 0x00, 0x2a, // handshake, TLS 1.0, 42 octets
        kind, 0x00, 0x00, 0x26, // message, 38 octets
        0x03, 0x03, // TLS 1.2
    ];
    record.extend([0x5a; 36]);
    record
}

fn octet_string(content: &[u8]) -> Vec<u8> {
    tagged(&[0x04], content)
}

fn tagged(tag: &[u8], content: &[u8]) -> Vec<u8> {
    let mut element = tag.to_vec();
    element.push(0x82);
    element.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
    element.extend(content);
    element
}

fn per_length(length: usize) -> [u8; 2] {
    (0x8000 | u16::try_from(length).unwrap()).to_be_bytes()
}
