use super::*;

const VNC: &[u8] = b"\0\0\0\x02STDVVNCAUTH_";
const LIST: &[u8] = b"\0\0\0\x82TGHTFTS_LSDT";

#[test]
fn reads_tunnels_types_and_capabilities() {
    let tunnels = [&[0, 0, 0, 1][..], b"\0\0\0\0TGHTNOTUNNEL"].concat();
    let types = [&[0, 0, 0, 1][..], VNC].concat();
    let capabilities = [&[0, 1, 0, 0, 0, 0, 0, 0][..], LIST].concat();
    let messages = hear(&[
        s(BANNER),
        c(BANNER),
        s(&[2, 2, 16]),
        c(&[16]),
        s(&tunnels),
        c(&[0, 0, 0, 0]),
        s(&types),
        c(&[0, 0, 0, 2]),
        s(CHALLENGE),
        c(RESPONSE),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
        s(&capabilities),
    ]);
    assert!(messages.contains(&Message::TightChosen(TightAuthentication::VNC)));
    let expected = Capabilities {
        server_messages: 1,
        client_messages: 0,
        encodings: 0,
        file_transfer: true,
    };
    assert!(messages.ends_with(&[Message::Capabilities(expected), Message::Session]));
}

#[test]
fn knows_none_in_the_clothes_of_tight() {
    let empty = [
        s(BANNER),
        c(BANNER),
        s(&[1, 16]),
        c(&[16]),
        s(&[0; 8]),
        s(OK),
        c(&[1]),
    ];
    assert!(hear(&empty).contains(&Message::Unauthenticated));
    let types = [&[0, 0, 0, 0, 0, 0, 0, 1][..], b"\0\0\0\x01STDVNOAUTH__"].concat();
    let named = [
        s(BANNER),
        c(BANNER),
        s(&[1, 16]),
        c(&[16]),
        s(&types),
        c(&[0, 0, 0, 1]),
        s(OK),
    ];
    assert!(hear(&named).contains(&Message::Unauthenticated));
}

#[test]
fn takes_two_for_too_many_attempts() {
    let types = [&[0, 0, 0, 0, 0, 0, 0, 1][..], VNC].concat();
    let reason = [0, 0, 0, 2, 0, 0, 0, 3, b'm', b'a', b'x'];
    let tight = [
        s(&types),
        c(&[0, 0, 0, 2]),
        s(CHALLENGE),
        c(RESPONSE),
        s(&reason),
    ];
    let start = [s(BANNER), c(BANNER), s(&[1, 16]), c(&[16])];
    let messages = hear(&[&start[..], &tight].concat());
    assert_eq!(
        messages.last(),
        Some(&Message::Refused(Some(b"max".to_vec())))
    );
}

#[test]
fn skips_user_and_password_of_a_login() {
    let types = [&[0, 0, 0, 0, 0, 0, 0, 1][..], b"\0\0\0\x81TGHTULGNAUTH"].concat();
    let messages = hear(&[
        s(BANNER),
        c(BANNER),
        s(&[1, 16]),
        c(&[16]),
        s(&types),
        c(&[0, 0, 0, 129]),
        c(&[0, 0, 0, 1, 0, 0, 0, 2, b'u', b'p', b'w']),
        s(OK),
        c(&[1]),
        s(SERVER_INIT),
        s(&[0; 8]),
    ]);
    assert_eq!(messages.last(), Some(&Message::Session));
}
