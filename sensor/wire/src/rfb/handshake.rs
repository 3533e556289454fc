//! One reading of a handshake: which message is next, from whom, and what follows it.
//!
//! The messages still to come stand on a stack, the next one on top. A message whose sender's octets were lost is done
//! without where the other side's octets go on; [`Session`](super::Session) decides when that is so.

use super::hidden::{Cover, Hidden};
use super::message::{self, Flow, IDENTIFIER_LENGTH, Message, Opening, ProtocolVersion, Role};
use super::names::SecurityType;
use super::script::{Count, Next};
use crate::{Reader, Side, Step, Violation};

/// What became of some octets.
pub(super) enum Turn {
    /// So many are done with; perhaps none, when only the next message changed.
    Used(usize),
    /// The next message is whole only with more of them, or comes from the other side.
    Waits,
}

/// Where messages go.
pub(super) type Emit<'a> = &'a mut dyn FnMut(Message);

/// One reading.
#[derive(Debug, Clone)]
pub(super) struct Handshake {
    /// Which side is the server, once one greeted.
    pub(super) server: Option<Side>,
    pub(super) server_version: Option<ProtocolVersion>,
    pub(super) client_version: Option<ProtocolVersion>,
    /// Octets of this role are missing from some place on.
    pub(super) lost: [bool; 2],
    /// What is still to come, the next one last.
    pub(super) script: Vec<Next>,
    pub(super) hidden: Hidden,
    /// What the server offered last, for a choice that was lost.
    pub(super) offered: Vec<SecurityType>,
    /// Security type None, of whatever layer.
    pub(super) unauthenticated: bool,
    /// ServerInit is longer.
    pub(super) is_tight: bool,
    /// How often types were offered.
    pub(super) rounds: u8,
    /// The dialect that the server's octets speak, where the versions say otherwise.
    spoken: Option<Flow>,
    /// [`Message::Session`] was told.
    pub(super) session: bool,
}

impl Handshake {
    pub(super) fn new() -> Self {
        Self {
            server: None,
            server_version: None,
            client_version: None,
            lost: [false; 2],
            script: vec![Next::Greeting],
            hidden: Hidden::new(Cover::Unknown, false),
            offered: Vec::new(),
            unauthenticated: false,
            is_tight: false,
            rounds: 0,
            spoken: None,
            session: false,
        }
    }

    pub(super) fn next(&self) -> Next {
        self.script.last().copied().unwrap_or(Next::Done)
    }

    pub(super) fn is_done(&self) -> bool {
        self.next() == Next::Done
    }

    pub(super) fn in_tls(&self) -> bool {
        self.next() == Next::Hidden && self.hidden.is_tls()
    }

    pub(super) fn role_of(&self, side: Side) -> Option<Role> {
        self.server.map(|server| match server == side {
            true => Role::Server,
            false => Role::Client,
        })
    }

    pub(super) fn is_lost(&self, role: Role) -> bool {
        let [server, client] = self.lost;
        match role {
            Role::Server => server,
            Role::Client => client,
        }
    }

    pub(super) fn lose(&mut self, role: Role) {
        let [server, client] = &mut self.lost;
        match role {
            Role::Server => *server = true,
            Role::Client => *client = true,
        }
    }

    /// Whether the octets of `side` cannot go on before the other side's come.
    pub(super) fn waits_for_other(&self, side: Side) -> bool {
        match (self.next().sender(), self.role_of(side)) {
            (Some(sender), Some(role)) => sender != role,
            _ => false,
        }
    }

    /// The place in the stream is known to be right, not guessed.
    pub(super) fn is_sure(&self) -> bool {
        self.lost == [false; 2]
    }

    /// Reads as many messages as it can. Stops where TLS begins, so that its octets can go to a decoder of TLS as well.
    pub(super) fn run(
        &mut self,
        from: Side,
        input: &[u8],
        emit: Emit<'_>,
    ) -> Result<usize, Violation> {
        let was_tls = self.in_tls();
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            if self.is_done() {
                return Ok(input.len());
            }
            if rest.is_empty() || (self.in_tls() && !was_tls) {
                return Ok(used);
            }
            match self.turn(from, rest, emit)? {
                Turn::Used(more) => used += more,
                Turn::Waits => return Ok(used),
            }
        }
    }

    fn turn(&mut self, from: Side, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        let next = self.next();
        let Some(role) = self.role_of(from).filter(|_| next != Next::Greeting) else {
            return self.greeting(from, input, emit);
        };
        if next == Next::Hidden {
            let used = self.hidden.feed(role, input);
            if !self.session && self.hidden.passed() {
                self.passed(emit);
                self.script.push(Next::Done);
            }
            return Ok(if used == 0 {
                Turn::Waits
            } else {
                Turn::Used(used)
            });
        }
        if self.is_lost(role) {
            // This side cannot find its place again.
            return Ok(Turn::Used(input.len()));
        }
        match next.sender() {
            Some(sender) if sender == role => self.read(next, input, emit),
            Some(sender) if self.is_lost(sender) => {
                self.do_without(next, emit);
                Ok(Turn::Used(0))
            }
            _ => self.ahead(next, from, input, emit),
        }
    }

    /// Octets that come out of turn, but still tell something.
    fn ahead(
        &mut self,
        next: Next,
        from: Side,
        input: &[u8],
        emit: Emit<'_>,
    ) -> Result<Turn, Violation> {
        let role = self.role_of(from);
        match next {
            // The server sends nothing before ClientInit unless it is a result that its version does not foresee:
            // UltraVNC in 3.3, TightVNC in 3.7. ServerInit begins with the width, which is not 0.
            Next::ClientInit if role == Some(Role::Server) => match Reader::new(input).u32_be() {
                Some(0..=3) => {
                    self.script.push(Next::Result);
                    Ok(Turn::Used(0))
                }
                _ => Ok(Turn::Waits),
            },
            // The one taken for the client sends what only servers send: its peer's answer was seen before its greeting.
            Next::Types
                if role == Some(Role::Client)
                    && from == Side::Responder
                    && looks_like_types(input) == Some(true) =>
            {
                self.swap_roles(emit);
                Ok(Turn::Used(0))
            }
            _ => Ok(Turn::Waits),
        }
    }

    /// The roles are the other way round.
    pub(super) fn swap_roles(&mut self, emit: Emit<'_>) {
        std::mem::swap(&mut self.server_version, &mut self.client_version);
        self.lost.reverse();
        if let Some(server) = self.server.map(Side::other) {
            self.server = Some(server);
            emit(Message::RolesSwapped {
                server,
                server_version: self.server_version,
                client_version: self.client_version,
            });
        }
    }

    /// The dialect both speak: the lower one, as far as they were seen.
    pub(super) fn flow(&self) -> Flow {
        let versions = [self.server_version, self.client_version]
            .into_iter()
            .flatten();
        let agreed = versions.map(ProtocolVersion::flow).min();
        self.spoken.or(agreed).unwrap_or(Flow::V3_8)
    }

    fn greeting(&mut self, from: Side, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        match message::opening(input) {
            Step::NeedMore(_) => Ok(Turn::Waits),
            Step::NotThisProtocol(why) => Err(Violation(why)),
            Step::Done(Opening::KeepAlive | Opening::Identifier, used) => {
                emit(Message::Repeater);
                Ok(Turn::Used(used))
            }
            Step::Done(Opening::Version(version), used) => {
                self.server = Some(from);
                self.server_version = Some(version);
                self.script.pop();
                if version == ProtocolVersion::REPEATER {
                    emit(Message::Repeater);
                    self.script.extend([Next::Greeting, Next::RepeaterAnswer]);
                } else {
                    self.script.extend([Next::Types, Next::ClientVersion]);
                }
                emit(Message::ServerVersion {
                    version,
                    server: from,
                });
                Ok(Turn::Used(used))
            }
        }
    }

    /// Reads the next message, whose sender's octets these are.
    fn read(&mut self, next: Next, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        match next {
            Next::RepeaterAnswer => self.repeater_answer(input),
            Next::ClientVersion => self.client_version(input, emit),
            Next::PromptText => self.prompt_text(input),
            Next::Types => self.types(input, emit),
            Next::Rejection => self.reason(input, Message::Rejected, emit),
            Next::Refusal => self.reason(input, Message::Refused, emit),
            Next::PromptAnswer => self.skip(Role::Client, 4, input),
            Next::Skip(role, left) => self.skip(role, left, input),
            Next::Counted(role, count, more) => self.counted(role, count, more, input),
            Next::Result => self.result(input, emit),
            Next::ClientInit => self.client_init(input, emit),
            Next::ServerInit => self.server_init(input, emit),
            Next::Capabilities => self.capabilities(input, emit),
            Next::Requests => self.requests(input, emit),
            Next::Answer => self.answer(input, emit),
            _ => self.read_security(next, input, emit),
        }
    }

    /// The next message is done; these follow, the first one first.
    pub(super) fn then(&mut self, follow: &[Next]) {
        self.script.pop();
        let wanted = follow
            .iter()
            .rev()
            .filter(|next| !matches!(next, Next::Skip(_, 0)));
        self.script.extend(wanted);
    }

    /// A viewer answers a repeater with 250 octets; one that does not know repeaters answers with its version.
    fn repeater_answer(&mut self, input: &[u8]) -> Result<Turn, Violation> {
        match message::protocol_version(input) {
            Step::NeedMore(_) => return Ok(Turn::Waits),
            Step::Done(..) => self.then(&[Next::ClientVersion]),
            Step::NotThisProtocol(_) => {
                self.then(&[Next::Skip(Role::Client, IDENTIFIER_LENGTH as u64)]);
            }
        }
        Ok(Turn::Used(0))
    }

    fn client_version(&mut self, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        match message::opening(input) {
            Step::NeedMore(_) => Ok(Turn::Waits),
            Step::Done(Opening::Version(version), used) => {
                self.client_version = Some(version);
                emit(Message::ClientVersion(version));
                self.script.pop();
                if self.server_version.is_some_and(ProtocolVersion::has_prompt) {
                    self.script.extend([Next::PromptAnswer, Next::PromptText]);
                }
                Ok(Turn::Used(used))
            }
            Step::Done(Opening::KeepAlive | Opening::Identifier, used) => {
                emit(Message::Repeater);
                Ok(Turn::Used(used))
            }
            // No answer, but what a server says after one: its greeting came before the capture began.
            Step::NotThisProtocol(_) => match looks_like_types(input) {
                None => Ok(Turn::Waits),
                Some(true) => {
                    self.swap_roles(emit);
                    self.script.pop();
                    Ok(Turn::Used(0))
                }
                Some(false) => Err(Violation("answer to an RFB greeting is no version line")),
            },
        }
    }

    /// The prompt's length is written with its least significant octet first, which a type or a list never looks like.
    fn prompt_text(&mut self, input: &[u8]) -> Result<Turn, Violation> {
        match input.first_chunk() {
            None => Ok(Turn::Waits),
            Some(&[low, high, 0, 0]) if low > 0 || high > 0 => {
                let length = u64::from(u16::from_le_bytes([low, high]));
                self.then(&[Next::Skip(Role::Server, 4 + length)]);
                Ok(Turn::Used(0))
            }
            // No prompt, so no answer either.
            Some(_) => {
                self.script.pop();
                self.script.pop();
                Ok(Turn::Used(0))
            }
        }
    }

    fn types(&mut self, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        if self.flow() == Flow::V3_3 {
            // A server may send its list to a client that asked for 3.3: a type in four octets begins with 0 (or is
            // UltraVNC's 0xfffffffa), a list with its length.
            if !matches!(input.first(), Some(0 | 0xff)) {
                self.spoken = Some(Flow::V3_7);
            }
        } else if self.client_version.is_none() && input.first() == Some(&0) {
            // The client was not seen; it may have asked for 3.3. No list begins like this type.
            match input.first_chunk() {
                None => return Ok(Turn::Waits),
                Some(&[0, 0, 0, 1 | 2]) => self.spoken = Some(Flow::V3_3),
                Some(_) => {}
            }
        }
        let is_list = self.flow() > Flow::V3_3;
        let (types, used) = if is_list {
            let Some((types, used)) = list(input) else {
                return Ok(Turn::Waits);
            };
            (types, used)
        } else {
            let Some(kind) = Reader::new(input).u32_be() else {
                return Ok(Turn::Waits);
            };
            let kind = SecurityType(kind);
            (
                if kind == SecurityType::INVALID {
                    Vec::new()
                } else {
                    vec![kind]
                },
                4,
            )
        };
        if !self.is_sure() && !types.iter().all(|kind| kind.is_plausible()) {
            return Err(Violation("no list of security types"));
        }
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Err(Violation("too many rounds of security types"));
        }
        self.offered.clone_from(&types);
        if types.is_empty() {
            self.then(&[Next::Rejection]);
        } else if is_list {
            emit(Message::SecurityTypes(types));
            self.then(&[Next::Choice]);
        } else {
            let kind = types.first().copied().unwrap_or(SecurityType::INVALID);
            emit(Message::SecurityTypes(types));
            self.script.pop();
            self.chosen(kind, emit);
        }
        Ok(Turn::Used(used))
    }

    fn skip(&mut self, role: Role, left: u64, input: &[u8]) -> Result<Turn, Violation> {
        let used = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let left = left - used as u64;
        self.script.pop();
        if left > 0 {
            self.script.push(Next::Skip(role, left));
        }
        Ok(Turn::Used(used))
    }

    fn counted(
        &mut self,
        role: Role,
        count: Count,
        more: u64,
        input: &[u8],
    ) -> Result<Turn, Violation> {
        let mut reader = Reader::new(input);
        let length = match count {
            Count::U16Be => reader.u16_be().map(u32::from),
            Count::U32Be => reader.u32_be(),
            Count::U32Le => reader.u32_le(),
        };
        let Some(length) = length else {
            return Ok(Turn::Waits);
        };
        self.then(&[Next::Skip(role, u64::from(length) + more)]);
        Ok(Turn::Used(input.len() - reader.left()))
    }

    /// All is said.
    pub(super) fn finish(&mut self) {
        self.script.clear();
        self.script.push(Next::Done);
    }

    /// What is known though its last words never came.
    pub(super) fn unsaid(&self) -> Option<Message> {
        if self.script.contains(&Next::Refusal) {
            return Some(Message::Refused(None));
        }
        self.script
            .contains(&Next::Rejection)
            .then_some(Message::Rejected(None))
    }

    pub(super) fn passed(&mut self, emit: Emit<'_>) {
        self.session = true;
        emit(Message::Session);
    }

    /// The next message was lost with its sender: what the other side says next.
    fn do_without(&mut self, next: Next, emit: Emit<'_>) {
        match next {
            Next::ClientVersion if self.server_version.is_some_and(ProtocolVersion::has_prompt) => {
                self.then(&[Next::PromptText, Next::PromptAnswer]);
            }
            Next::Types if self.flow() > Flow::V3_3 => self.then(&[Next::Choice]),
            Next::Types => self.then(&[Next::Answer]),
            Next::Choice => self.then(&[Next::Inference]),
            Next::Rejection | Next::Refusal | Next::Inference | Next::Answer | Next::Requests => {
                self.script.push(Next::Done);
            }
            Next::ServerInit | Next::Capabilities => self.then(&[Next::Requests]),
            next => self.do_without_security(next, emit),
        }
    }

    /// `length` octets of a side were lost (0: unknown).
    pub(super) fn gap(&mut self, from: Side, length: u64) {
        let Some(role) = self.role_of(from) else {
            // Who lost its greeting cannot be told apart any more.
            self.script.push(Next::Done);
            return;
        };
        match self.next() {
            Next::Hidden => self.hidden.gap(role, length),
            // Exactly the octets that nobody wanted.
            Next::Skip(sender, left) if sender == role && length > 0 && length <= left => {
                self.then(&[Next::Skip(role, left - length)]);
            }
            // RA2's place in its exchange is lost, but it is known to be RA2.
            _ if self.script.first() == Some(&Next::Hidden) => {
                self.script.truncate(1);
                self.hidden.gap(role, length);
            }
            _ => self.lose(role),
        }
        if self.lost == [true; 2] && self.next() != Next::Hidden {
            self.script.push(Next::Done);
        }
    }
}

/// The list of 3.7 and later: its length, then the types.
fn list(input: &[u8]) -> Option<(Vec<SecurityType>, usize)> {
    let mut reader = Reader::new(input);
    let count = usize::from(reader.u8()?);
    let types = reader.take(count)?;
    Some((
        types
            .iter()
            .map(|&kind| SecurityType(kind.into()))
            .collect(),
        1 + count,
    ))
}

/// Whether octets can only be a server's offer: a list of known types and nothing more, or a type in four octets. `None`
/// when there are too few to tell.
fn looks_like_types(input: &[u8]) -> Option<bool> {
    let (&count, types) = input.split_first()?;
    if count == 0 {
        return Some(matches!(input.first_chunk::<4>()?, [0, 0, 0, 0..=2]));
    }
    let is_list = types.len() <= count.into()
        && types
            .iter()
            .all(|&kind| SecurityType(kind.into()).is_plausible());
    if is_list && types.len() < count.into() {
        return None;
    }
    Some(is_list)
}

/// UltraVNC layers at most six schemes.
const MAX_ROUNDS: u8 = 6;
/// MS-Logon II of the server: generator, modulus, public key of 64 bits each.
pub(super) const MS_LOGON_QUESTION: u64 = 24;
/// MS-Logon II of the client: public key, user, password.
pub(super) const MS_LOGON_ANSWER: u64 = 8 + 256 + 64;
