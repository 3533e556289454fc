//! The remote commands of BSD: rsh, rexec and rlogin.
//!
//! *In*: what each side of a TCP flow sends, on any port. *Out*: [`Request`] once the server has answered. *By*: RFC 1282
//! (rlogin), the manual pages rcmd(3) and rexecd(8). The client begins with the port for its error output as decimal
//! digits, or nothing, then three texts, each with a zero behind: two names (of rexec a name and a password) and a
//! command, of rlogin the terminal and its speed. The server answers a zero, or a one and a message. *Never kept*: names,
//! password, command. *Fails* when either side says something else.

use crate::{Reader, Side, Step, Violation};

/// What the client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// A command: rsh, or rexec, which look the same.
    Command,
    /// A terminal session.
    Login,
}

/// Decodes what the client begins with.
#[must_use]
pub fn request(input: &[u8]) -> Step<Request> {
    if input
        .first()
        .is_some_and(|&octet| octet != 0 && !octet.is_ascii_digit())
    {
        return Step::NotThisProtocol(NO_REQUEST);
    }
    let mut rest = input;
    // Most of what begins so ends at the first text.
    let Some(port) = text(&mut rest, MAX_PORT, |octet| octet.is_ascii_digit()) else {
        return Step::NotThisProtocol(NO_REQUEST);
    };
    let Some(local) = text(&mut rest, MAX_NAME, is_name) else {
        return Step::NotThisProtocol(NO_REQUEST);
    };
    let Some(remote) = text(&mut rest, MAX_NAME, is_name) else {
        return Step::NotThisProtocol(NO_REQUEST);
    };
    let Some(last) = text(&mut rest, MAX_COMMAND, |octet| {
        (0x20..0x7f).contains(&octet) || matches!(octet, b'\t' | b'\n' | b'\r') || octet >= 0x80
    }) else {
        return Step::NotThisProtocol(NO_REQUEST);
    };
    match (port, local, remote, last) {
        (Text::Whole(port), Text::Whole(local), Text::Whole(remote), Text::Whole(last))
            if !local.is_empty() && !remote.is_empty() && !last.is_empty() =>
        {
            let request = kind(last);
            // Without a port there is little to tell it by: a log-in names its terminal, a command is its own user's.
            let told = match port {
                [] => request == Request::Login || local == remote,
                port => is_port(port),
            };
            if !told || !is_user(local) {
                return Step::NotThisProtocol(NO_REQUEST);
            }
            // The client says nothing more before it was answered.
            if !rest.is_empty() {
                return Step::NotThisProtocol("more than a request");
            }
            Step::Done(request, input.len())
        }
        (_, Text::Whole([]), ..) | (_, _, Text::Whole([]), _) | (_, _, _, Text::Whole([])) => {
            Step::NotThisProtocol(NO_REQUEST)
        }
        _ => Step::NeedMore(1),
    }
}

/// `xterm/38400` and nothing else: the terminal of rlogin.
fn kind(last: &[u8]) -> Request {
    let mut parts = last.split(|&octet| octet == b'/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(terminal), Some(speed), None)
            if !terminal.contains(&b' ')
                && !speed.is_empty()
                && speed.iter().all(u8::is_ascii_digit) =>
        {
            Request::Login
        }
        _ => Request::Command,
    }
}

enum Text<'a> {
    Whole(&'a [u8]),
    Open,
}

/// A text up to its zero; `None` where it is none.
fn text<'a>(rest: &mut &'a [u8], most: usize, fits: impl Fn(u8) -> bool) -> Option<Text<'a>> {
    let length = rest
        .iter()
        .take(most + 1)
        .take_while(|&&octet| octet != 0)
        .count();
    let found = rest.get(..length).unwrap_or_default();
    if length > most || !found.iter().all(|&octet| fits(octet)) {
        return None;
    }
    Some(match rest.get(length + 1..) {
        Some(after) => {
            *rest = after;
            Text::Whole(found)
        }
        None => {
            *rest = &[];
            Text::Open
        }
    })
}

fn is_port(digits: &[u8]) -> bool {
    digits.first() != Some(&b'0')
        && std::str::from_utf8(digits).is_ok_and(|digits| digits.parse::<u16>().is_ok())
}

/// A user's name as systems have it.
fn is_user(name: &[u8]) -> bool {
    let starts = |octet: &u8| octet.is_ascii_alphabetic() || *octet == b'_';
    let goes_on = |octet: &u8| octet.is_ascii_alphanumeric() || b"_.-$@\\+".contains(octet);
    name.first().is_some_and(starts) && name.iter().all(goes_on)
}

/// A user's name; the password of rexec too, which may hold more.
fn is_name(octet: u8) -> bool {
    (0x21..0x7f).contains(&octet)
}

/// Follows one TCP flow until the server has answered.
#[derive(Debug, Default)]
pub struct Session {
    asked: Option<(Side, Request)>,
    granted: Option<bool>,
}

impl Session {
    /// The client, its request, and whether the server granted it: once it has answered.
    #[must_use]
    pub fn told(&self) -> Option<(Side, Request, bool)> {
        let (client, request) = self.asked?;
        Some((client, request, self.granted?))
    }

    /// Reads what a side sent; answers how many octets it took.
    ///
    /// # Errors
    /// When a side says what neither role says.
    pub fn feed(&mut self, from: Side, input: &[u8]) -> Result<usize, Violation> {
        if input.is_empty() {
            return Ok(0);
        }
        match self.asked {
            None => match request(input) {
                Step::Done(request, used) => {
                    self.asked = Some((from, request));
                    Ok(used)
                }
                Step::NeedMore(_) => Ok(0),
                Step::NotThisProtocol(why) => Err(Violation(why)),
            },
            Some((client, _)) if client == from => Err(Violation("a client that does not wait")),
            Some(_) => match Reader::new(input).u8() {
                None => Ok(0),
                Some(0) => {
                    self.granted = Some(true);
                    Ok(1)
                }
                // The reason follows, which is text.
                Some(1) => match input.get(1) {
                    None => Ok(0),
                    Some(0x20..=0x7e | 0x80..) => {
                        self.granted = Some(false);
                        Ok(1)
                    }
                    Some(_) => Err(Violation("no answer to a request")),
                },
                Some(_) => Err(Violation("no answer to a request")),
            },
        }
    }
}

/// A port in decimal digits.
const MAX_PORT: usize = 5;
/// What the daemons take: 16 of old, more in later ones; passwords are longer.
const MAX_NAME: usize = 64;
/// What the daemons take.
const MAX_COMMAND: usize = 4096;
const NO_REQUEST: &str = "no request of rsh";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same_however_cut, in_pieces};
    use Side::{Originator as O, Responder as R};

    #[test]
    fn reads_requests_however_cut() {
        for (octets, want) in [
            (&b"1022\0root\0admin\0uname -a\0"[..], Request::Command),
            (b"\0root\0root\0ls /etc/12\0", Request::Command),
            (b"\0alice\0bob\0xterm-256color/38400\0", Request::Login),
        ] {
            assert_eq!(request(octets), Step::Done(want, octets.len()));
            assert_same_however_cut(request, octets);
        }
    }

    #[test]
    fn other_protocols_are_refused() {
        for octets in [
            &b"<13>Nov 24 10:00:00 host su: no\n"[..], // syslog on rsh's port
            b"220 mail.example ESMTP\r\n",
            b"\0\0\0\x2f\xffSMB",
            b"\0\x1d\x12\x34\x01\x00",
            b"0\0\0\0\0",
            b"\0root\0root\0\0",
            b"\0name\0other\0text\0",
            b"0\0name\0other\0text\0",
            b"1022\x0017\x0018\x0019\0",
            b"GET / HTTP/1.1\r\n",
            b"123456",
        ] {
            assert!(
                matches!(request(octets), Step::NotThisProtocol(_)),
                "{octets:?}"
            );
            assert_same_however_cut(request, octets);
        }
    }

    #[test]
    fn is_told_by_the_answer() {
        for (answer, granted) in [(&b"\0# "[..], true), (b"\x01Permission denied.\n", false)] {
            for size in [1, 4, 64] {
                let mut session = Session::default();
                in_pieces(
                    &[(O, b"1022\0root\0root\0id\0"), (R, answer)],
                    size,
                    |from, input| {
                        session
                            .feed(from, input)
                            .ok()
                            .filter(|_| session.told().is_none())
                    },
                );
                assert_eq!(session.told(), Some((O, Request::Command, granted)));
            }
        }
    }

    #[test]
    fn another_answer_is_another_protocol() {
        let mut session = Session::default();
        assert_eq!(session.feed(O, b"\0a\0a\0c\0"), Ok(7));
        assert!(session.feed(R, b"x").is_err());
    }
}
