//! Telnet: the negotiation of options, with which both sides begin.
//!
//! *In*: what each side of a TCP flow sends, on any port. *Out*: [`Session::told`] once there is no doubt. *By*: RFC 854
//! (commands), RFC 855 (subnegotiation); the options are IANA's. A single command is no proof, for `ff fb` also begins a
//! frame of MP3: it is telnet when both sides negotiate, or when one side sends [`ENOUGH`] commands on end and the other
//! is not in the capture. *Left out* and *never kept*: what is typed and shown. *Fails* when a side begins with octets
//! that are no command.

use crate::{Reader, Side, Step, Violation};

/// One command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// WILL, WONT, DO, DONT.
    Option {
        /// `fb` to `fe`.
        verb: u8,
        /// Number of the option.
        option: u8,
    },
    /// Data for an option.
    Subnegotiation(u8),
    /// Any other, such as NOP or GA.
    Other(u8),
}

/// Decodes the command that a side begins with: it negotiates. Others have one octet of their own, too few for a start.
#[must_use]
pub fn opening(input: &[u8]) -> Step<Command> {
    match command(input) {
        Step::Done(Command::Other(_), _) => Step::NotThisProtocol(NO_COMMAND),
        step => step,
    }
}

/// Decodes the command at the start of `input`.
#[must_use]
pub fn command(input: &[u8]) -> Step<Command> {
    let mut reader = Reader::new(input);
    match reader.u8() {
        None => return Step::NeedMore(2),
        Some(IAC) => {}
        Some(_) => return Step::NotThisProtocol(NO_COMMAND),
    }
    match (reader.u8(), reader.u8()) {
        (None, _) => Step::NeedMore(1),
        (Some(WILL..=DONT | SB), None) => Step::NeedMore(1),
        (Some(verb @ WILL..=DONT), Some(option)) if is_option(option) => {
            Step::Done(Command::Option { verb, option }, 3)
        }
        (Some(SB), Some(option)) if is_option(option) => subnegotiation(input, option),
        (Some(other @ 0xf1..=0xf9), _) => Step::Done(Command::Other(other), 2),
        _ => Step::NotThisProtocol(NO_COMMAND),
    }
}

/// Up to `ff f0`; a doubled `ff` is data.
fn subnegotiation(input: &[u8], option: u8) -> Step<Command> {
    let mut reader = Reader::new(input.get(3..).unwrap_or_default());
    while let Some(octet) = reader.u8() {
        let used = input.len() - reader.left();
        if used > MAX_SUBNEGOTIATION {
            return Step::NotThisProtocol("a subnegotiation without an end");
        }
        if octet == IAC {
            match reader.u8() {
                None => break,
                Some(SE) => return Step::Done(Command::Subnegotiation(option), used + 1),
                Some(IAC) => {}
                Some(_) => return Step::NotThisProtocol("a command inside a subnegotiation"),
            }
        }
    }
    Step::NeedMore(1)
}

/// Follows one TCP flow until it is told.
#[derive(Debug, Default)]
pub struct Session {
    commands: [u8; 2],
    passed: usize,
    first: Option<Side>,
    server: Option<Side>,
}

impl Session {
    /// Whether both sides have negotiated, in [`ENOUGH`] commands together.
    #[must_use]
    pub fn told(&self) -> bool {
        self.commands.iter().all(|&count| count > 0)
            && self
                .commands
                .iter()
                .map(|&count| u32::from(count))
                .sum::<u32>()
                >= u32::from(ENOUGH)
    }

    /// Whether one side alone has said enough, should the flow end now: the other is not in the capture, or never
    /// answered.
    #[must_use]
    pub fn told_by_one(&self) -> bool {
        self.told() || self.commands.iter().any(|&count| count >= ENOUGH)
    }

    /// The server, by the first command that only one role sends (DO TERMINAL-TYPE, WILL ECHO), else by who began.
    #[must_use]
    pub fn server(&self) -> Option<Side> {
        self.server.or(self.first)
    }

    /// Whether so much has passed that telnet would have shown: the flow is not worth more octets.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        self.passed > MAX_PASSED
    }

    /// Reads what a side sent; answers how many octets it took.
    ///
    /// # Errors
    /// When the side that spoke first does not begin with a command.
    pub fn feed(&mut self, from: Side, input: &[u8]) -> Result<usize, Violation> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            if rest.is_empty() || self.told() {
                return Ok(used);
            }
            match command(rest) {
                Step::Done(command, length) => {
                    self.count(from, command);
                    used += length;
                }
                Step::NeedMore(_) => return Ok(used),
                Step::NotThisProtocol(why) => {
                    let counted = self.commands.get(from.index()).copied().unwrap_or(0);
                    if counted == 0 && self.first.is_none() {
                        return Err(Violation(why));
                    }
                    // Text between the commands: a banner, a prompt.
                    let text = rest.iter().skip(1).position(|&octet| octet == IAC);
                    let length = text.map_or(rest.len(), |place| place + 1);
                    if !rest.iter().take(length).all(|&octet| is_text(octet)) {
                        return Err(Violation("no text between commands"));
                    }
                    self.passed += length;
                    used += length;
                }
            }
        }
    }

    fn count(&mut self, from: Side, command: Command) {
        if let Some(count) = self.commands.get_mut(from.index())
            && !matches!(command, Command::Other(_))
        {
            *count = count.saturating_add(1);
        }
        let of_server = match command {
            Command::Option { verb, option } => match (verb, option) {
                (WILL, ECHO)
                | (DO, TERMINAL_TYPE | WINDOW_SIZE | SPEED | ENVIRONMENT | X_DISPLAY) => Some(from),
                (DO, ECHO) | (WILL, TERMINAL_TYPE | WINDOW_SIZE | SPEED | ENVIRONMENT) => {
                    Some(from.other())
                }
                _ => None,
            },
            _ => None,
        };
        self.server = self.server.or(of_server);
        self.first = self.first.or(Some(from));
    }
}

/// What terminals show and understand, in any character set. A command that is no command stands among it.
fn is_text(octet: u8) -> bool {
    octet >= 0x20 || matches!(octet, 0 | 0x05 | 0x07..=0x0f | 0x1b)
}

/// IANA's registry has these up to 49, and 255 for a list of its own.
fn is_option(option: u8) -> bool {
    option <= 49 || (138..=140).contains(&option)
}

const IAC: u8 = 0xff;
const SE: u8 = 0xf0;
const SB: u8 = 0xfa;
const WILL: u8 = 0xfb;
const DO: u8 = 0xfd;
const DONT: u8 = 0xfe;
const ECHO: u8 = 1;
const TERMINAL_TYPE: u8 = 24;
const WINDOW_SIZE: u8 = 31;
const SPEED: u8 = 32;
const X_DISPLAY: u8 = 35;
const ENVIRONMENT: u8 = 39;
/// Commands that leave no doubt: of one side by itself, or of both together.
pub const ENOUGH: u8 = 3;
/// An environment with a long list of variables has a few hundred octets.
const MAX_SUBNEGOTIATION: usize = 2048;
/// A banner before the other side negotiates.
const MAX_PASSED: usize = 4096;
const NO_COMMAND: &str = "no command of telnet";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same_however_cut, in_pieces};
    use Side::{Originator as O, Responder as R};

    fn run(conversation: &[(Side, &[u8])], size: usize) -> (bool, Option<Side>) {
        let mut session = Session::default();
        in_pieces(conversation, size, |from, input| {
            session.feed(from, input).ok().filter(|_| !session.told())
        });
        (session.told(), session.server())
    }

    #[test]
    fn is_told_when_both_sides_negotiate() {
        let conversation: &[(Side, &[u8])] = &[
            (R, b"\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27"), // DO TERMINAL-TYPE, SPEED, X-DISPLAY, ENVIRON
            (O, b"\xff\xfb\x18\xff\xfc\x20"), // WILL TERMINAL-TYPE, WONT SPEED
        ];
        for size in [1, 2, 3, 64] {
            assert_eq!(run(conversation, size), (true, Some(R)), "{size}");
        }
    }

    #[test]
    fn the_client_may_begin() {
        let conversation: &[(Side, &[u8])] = &[
            (O, b"\xff\xfd\x03\xff\xfb\x18\xff\xfb\x1f"), // DO SUPPRESS-GO-AHEAD, WILL TERMINAL-TYPE, WINDOW-SIZE
            (R, b"\xff\xfb\x03\xff\xfd\x18"),
        ];
        assert_eq!(run(conversation, 1), (true, Some(R)));
        assert_eq!(run(conversation, 64), (true, Some(R)));
    }

    #[test]
    fn text_may_stand_before_the_other_sides_commands() {
        let conversation: &[(Side, &[u8])] = &[
            (
                R,
                b"\xff\xfb\x01\xff\xfb\x03\r\nUser Access Verification\r\n",
            ),
            (O, b"\xff\xfd\x01"),
        ];
        for size in [1, 5, 64] {
            assert_eq!(run(conversation, size), (true, Some(R)), "{size}");
        }
    }

    #[test]
    fn music_is_no_telnet() {
        // A frame of MPEG-1 layer III, 128 kbit/s.
        assert!(matches!(
            command(b"\xff\xfb\x90\x64"),
            Step::NotThisProtocol(_)
        ));
        let mut session = Session::default();
        assert!(session.feed(R, b"\xff\xfb\x90\x64\x00").is_err());
        // At 40 kbit/s the first three octets would do.
        let mut session = Session::default();
        let frame = b"\xff\xfb\x20\x64\x00\x0f\xf0\x00";
        assert_eq!(session.feed(R, frame), Ok(frame.len()));
        assert!(!session.told_by_one());
        assert!(session.feed(R, b"\x02\x13\x04\x01").is_err());
    }

    #[test]
    fn much_text_is_hopeless() {
        let mut session = Session::default();
        assert_eq!(session.feed(R, b"\xff\xfb\x01"), Ok(3));
        let long = vec![b'.'; 5000];
        assert_eq!(session.feed(R, &long), Ok(5000));
        assert!(session.is_hopeless());
        // A single octet of a command is none that a side begins with.
        assert!(matches!(opening(b"\xff\xf1"), Step::NotThisProtocol(_)));
    }

    #[test]
    fn one_side_alone_needs_three_commands() {
        let mut session = Session::default();
        assert_eq!(session.feed(R, b"\xff\xfd\x18\xff\xfb\x01"), Ok(6));
        assert!(!session.told_by_one());
        assert_eq!(session.feed(R, b"\xff\xfb\x03"), Ok(3));
        assert!(session.told_by_one() && !session.told());
    }

    #[test]
    fn commands_are_the_same_however_cut() {
        for input in [
            &b"\xff\xfa\x18\x00xterm\xff\xff\xff\xf0"[..],
            b"\xff\xfb\x01",
            b"\xff\xf1",
            b"\xff\xff",
            b"\xff\xfa\x18\xff\xfb",
        ] {
            assert_same_however_cut(command, input);
        }
    }
}
