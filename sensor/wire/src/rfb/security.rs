//! What follows the choice of a security type: the reading of each type's own messages.

use super::handshake::{Emit, Handshake, MS_LOGON_ANSWER, MS_LOGON_QUESTION, Turn};
use super::hidden::{Cover, Hidden, Inside};
use super::initialisation::has_initialised;
use super::message::{self, Flow, Message, Role};
use super::names::{SecurityType, TightAuthentication, VencryptType};
use super::script::{Count, Next, Width};
use crate::{Reader, Step, Violation};

use Role::{Client, Server};

impl Handshake {
    /// A security type was agreed on, in the first round or a later one of UltraVNC's.
    pub(super) fn chosen(&mut self, kind: SecurityType, emit: Emit<'_>) {
        emit(match self.rounds {
            0 | 1 => Message::Chosen(kind),
            _ => Message::ChosenInside(kind),
        });
        self.follow(kind, emit);
    }

    /// Puts a type's messages and all that follow on the script.
    fn follow(&mut self, kind: SecurityType, emit: Emit<'_>) {
        use SecurityType as T;
        self.script.clear();
        let legacy = self.flow() == Flow::V3_3;
        let vnc = [
            Next::Skip(Server, CHALLENGE),
            Next::Skip(Client, CHALLENGE),
            Next::Result,
        ];
        match kind {
            T::NONE => self.none(emit),
            T::VNC_AUTH => self.initialise_after(&vnc),
            T::XVP => {
                let [challenge, response, result] = vnc;
                self.initialise_after(&[Next::TwoTexts(Width::U8), challenge, response, result]);
            }
            T::RA2 | T::RA2_256 => self.rsa(Cover::Rsa { two_steps: false }),
            T::RA2R | T::RA2R_256 => self.rsa(Cover::Rsa { two_steps: true }),
            T::RA2NE | T::RA2NE_256 => self.initialise_after(&RSA_THEN_CLEAR),
            T::TIGHT => {
                self.is_tight = true;
                self.initialise_after(&[Next::TightTunnels]);
            }
            // In 3.3 this number is the SecureVNC plugin.
            T::ULTRA if legacy => self.hide(Cover::Unknown),
            T::ULTRA | T::SESSION_SELECT | T::CLIENT_INIT_EXTRA | T::CLIENT_INIT_EXTRA_NEW => {
                self.initialise_after(&[Next::Result]);
            }
            T::TLS => self.tls(Inside::TypesAgain, emit),
            T::VENCRYPT => self.initialise_after(&[
                Next::VencryptOffer,
                Next::VencryptVersion,
                Next::VencryptAcknowledgement,
                Next::VencryptTypes,
                Next::VencryptChoice,
            ]),
            T::SASL => self.initialise_after(&SASL),
            T::ARD => self.initialise_after(&[Next::DiffieHellman, Next::Result]),
            T::SC_PROMPT => self.initialise_after(&[
                Next::Counted(Server, Count::U32Le, 0),
                Next::Skip(Client, 4),
                Next::Result,
            ]),
            T::MS_LOGON_1 => self.initialise_after(&[
                Next::Skip(Server, 64 + CHALLENGE),
                Next::Skip(Client, 256 + 256 + 64 + CHALLENGE),
                Next::Result,
            ]),
            T::MS_LOGON_2 | T::MS_LOGON_LEGACY => self.initialise_after(&[
                Next::Skip(Server, MS_LOGON_QUESTION),
                Next::Skip(Client, MS_LOGON_ANSWER),
                Next::Result,
            ]),
            // SecureVNC exchanges blobs and encrypts from then on; of the others nobody has told what follows.
            _ => self.hide(Cover::Unknown),
        }
    }

    /// Nobody is asked for anything. Before 3.8 there is no result either.
    fn none(&mut self, emit: Emit<'_>) {
        self.unauthenticated = true;
        emit(Message::Unauthenticated);
        match self.flow() {
            Flow::V3_8 => self.initialise_after(&[Next::Result]),
            _ => self.initialise_after(&[]),
        }
    }

    fn initialise_after(&mut self, steps: &[Next]) {
        self.script.clear();
        self.script.extend([Next::ServerInit, Next::ClientInit]);
        self.script.extend(steps.iter().rev());
    }

    /// RA2's public keys and random numbers; all that follows is encrypted.
    fn rsa(&mut self, cover: Cover) {
        self.hide(cover);
        self.script.extend(RSA_KEYS.iter().rev());
    }

    fn tls(&mut self, inside: Inside, emit: Emit<'_>) {
        self.hide(Cover::Tls(inside));
        emit(Message::TlsStarts);
    }

    fn hide(&mut self, cover: Cover) {
        self.hidden = Hidden::new(cover, self.is_lost(Client));
        self.script.clear();
        self.script.push(Next::Hidden);
    }

    /// The messages of security types.
    pub(super) fn read_security(
        &mut self,
        next: Next,
        input: &[u8],
        emit: Emit<'_>,
    ) -> Result<Turn, Violation> {
        let mut reader = Reader::new(input);
        let is_odd = |octet: &u8| !SecurityType((*octet).into()).is_plausible();
        let done = match next {
            Next::Choice if !self.is_sure() && input.first().is_some_and(is_odd) => {
                return Err(Violation("no choice of a security type"));
            }
            Next::Choice => self.choice(&mut reader, emit),
            Next::Inference => return self.inference(input, emit),
            Next::TightAnswer => return self.tight_answer(input, emit),
            Next::RsaKey(role) => self.rsa_key(role, &mut reader),
            Next::DiffieHellman => self.diffie_hellman(&mut reader),
            Next::TwoTexts(width) => self.two_texts(width, &mut reader),
            Next::SaslStep => self.sasl_step(&mut reader),
            Next::TightTunnels | Next::TightTypes => return self.tight_list(next, input, emit),
            Next::TightTunnel => self.tight_tunnel(&mut reader),
            Next::TightType => self.tight_type(&mut reader, emit),
            Next::VencryptOffer => reader.take(2).map(|_| self.then(&[])),
            Next::VencryptVersion => self.vencrypt_version(&mut reader),
            Next::VencryptAcknowledgement => return self.vencrypt_acknowledgement(input, emit),
            Next::VencryptTypes => self.vencrypt_types(&mut reader, emit),
            Next::VencryptChoice => self.vencrypt_choice(&mut reader, emit),
            Next::VencryptGo => self.vencrypt_go(&mut reader, emit),
            _ => None,
        };
        Ok(match done {
            Some(()) => Turn::Used(input.len() - reader.left()),
            None => Turn::Waits,
        })
    }

    /// The client may take a type that was not offered; servers of old let it.
    fn choice(&mut self, reader: &mut Reader<'_>, emit: Emit<'_>) -> Option<()> {
        let kind = SecurityType(reader.u8()?.into());
        self.script.pop();
        self.chosen(kind, emit);
        Some(())
    }

    /// The client's choice was lost: what the server says next must answer one of its own offers.
    fn inference(&mut self, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        use SecurityType as T;
        let Some(&first) = input.first_chunk::<4>() else {
            return Ok(Turn::Waits);
        };
        let offers = |kind: T| self.offered.contains(&kind);
        let kind = match (first, self.offered.as_slice()) {
            (_, &[only]) => only,
            ([0, 2, 0, 0x40 | 0x80] | [0, 5, 0, _], _) if offers(T::ARD) => T::ARD,
            ([0, 2, 0, _], _) if offers(T::VENCRYPT) => T::VENCRYPT,
            ([22, 3, _, _], _) if offers(T::TLS) => T::TLS,
            ([0, 0, 0, 0], _) if offers(T::NONE) && !offers(T::TIGHT) => T::NONE,
            ([0, 0, 0, 0..=8], _) if offers(T::TIGHT) => T::TIGHT,
            ([0xff, 0xff, 0xff, 0xff], _) if offers(T::ULTRA) => T::ULTRA,
            _ if offers(T::VNC_AUTH) => T::VNC_AUTH,
            _ => {
                self.hide(Cover::Unknown);
                return Ok(Turn::Used(0));
            }
        };
        self.script.pop();
        self.chosen(kind, emit);
        Ok(Turn::Used(0))
    }

    /// Length in bits, modulus, exponent.
    fn rsa_key(&mut self, role: Role, reader: &mut Reader<'_>) -> Option<()> {
        let octets = u64::from(reader.u32_be()?).div_ceil(8);
        self.then(&[Next::Skip(role, 2 * octets)]);
        Some(())
    }

    /// Generator, size of the keys, prime and public key; then the client's credentials and its public key.
    fn diffie_hellman(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let (_generator, size) = (reader.u16_be()?, u64::from(reader.u16_be()?));
        self.then(&[
            Next::Skip(Server, 2 * size),
            Next::Skip(Client, CREDENTIALS + size),
        ]);
        Some(())
    }

    /// User and password, or user and target: skipped.
    fn two_texts(&mut self, width: Width, reader: &mut Reader<'_>) -> Option<()> {
        let mut length = || match width {
            Width::U8 => reader.u8().map(u64::from),
            Width::U32 => reader.u32_be().map(u64::from),
        };
        let total = length()? + length()?;
        self.then(&[Next::Skip(Client, total)]);
        Some(())
    }

    /// After each of the server's steps an octet says whether it was the last.
    fn sasl_step(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        match reader.u8()? {
            0 => self.then(&[
                Next::Counted(Client, Count::U32Be, 0),
                Next::Counted(Server, Count::U32Be, 0),
                Next::SaslStep,
            ]),
            _ => self.then(&[]),
        }
        Some(())
    }

    fn tight_list(&mut self, next: Next, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        let (codes, used) = match message::capability_list(input) {
            Step::Done(codes, used) => (codes, used),
            Step::NeedMore(_) => return Ok(Turn::Waits),
            Step::NotThisProtocol(why) => return Err(Violation(why)),
        };
        match (next, codes.is_empty()) {
            (Next::TightTunnels, true) => self.then(&[Next::TightTypes]),
            (Next::TightTunnels, false) => self.then(&[Next::TightTunnel, Next::TightTypes]),
            (_, true) => self.none(emit),
            (_, false) => {
                self.offered = codes.into_iter().map(SecurityType).collect();
                self.then(&[Next::TightType]);
            }
        }
        Ok(Turn::Used(used))
    }

    /// Tight with the server's lists lost: perhaps a tunnel, perhaps an authentication, perhaps neither.
    fn tight_answer(&mut self, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        match (has_initialised(input), Reader::new(input).u32_be()) {
            (None, _) | (_, None) => return Ok(Turn::Waits),
            (Some(true), _) => self.none(emit),
            (_, Some(0)) => return Ok(Turn::Used(4)),
            (_, Some(1 | 2 | 19 | 20 | 129 | 130)) => self.then(&[Next::TightType]),
            _ => self.hide(Cover::Unknown),
        }
        Ok(Turn::Used(0))
    }

    /// Only `NOTUNNEL` was ever registered; any other hides what follows.
    fn tight_tunnel(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        match reader.u32_be()? {
            0 => self.then(&[]),
            _ => self.hide(Cover::Unknown),
        }
        Some(())
    }

    fn tight_type(&mut self, reader: &mut Reader<'_>, emit: Emit<'_>) -> Option<()> {
        let kind = TightAuthentication(reader.u32_be()?);
        self.tight_chosen(kind, emit);
        Some(())
    }

    fn tight_chosen(&mut self, kind: TightAuthentication, emit: Emit<'_>) {
        emit(Message::TightChosen(kind));
        match kind {
            TightAuthentication::UNIX_LOGIN => {
                self.initialise_after(&[Next::TwoTexts(Width::U32), Next::Result]);
            }
            TightAuthentication::EXTERNAL => self.hide(Cover::Unknown),
            TightAuthentication(code) => self.follow(SecurityType(code), emit),
        }
    }

    /// Version 0.1 has other lists and no acknowledgements; nothing speaks it any more.
    fn vencrypt_version(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        match reader.take_array()? {
            [0, 2] => self.then(&[]),
            _ => self.hide(Cover::Unknown),
        }
        Some(())
    }

    /// The first acknowledgement: 0 is consent.
    fn vencrypt_acknowledgement(
        &mut self,
        input: &[u8],
        emit: Emit<'_>,
    ) -> Result<Turn, Violation> {
        match input.first() {
            None => return Ok(Turn::Waits),
            Some(0) => self.then(&[]),
            Some(_) => self.refuse(emit),
        }
        Ok(Turn::Used(1))
    }

    fn vencrypt_types(&mut self, reader: &mut Reader<'_>, emit: Emit<'_>) -> Option<()> {
        let count = usize::from(reader.u8()?);
        let mut list = reader.sub(4 * count)?;
        self.offered = std::iter::from_fn(|| list.u32_be())
            .map(SecurityType)
            .collect();
        match count {
            0 => self.refuse(emit),
            _ => self.then(&[]),
        }
        Some(())
    }

    /// VeNCrypt ended it: no authentication took place.
    fn refuse(&mut self, emit: Emit<'_>) {
        emit(Message::Rejected(None));
        self.script.push(Next::Done);
    }

    fn vencrypt_choice(&mut self, reader: &mut Reader<'_>, emit: Emit<'_>) -> Option<()> {
        let kind = VencryptType(reader.u32_be()?);
        self.vencrypt_chosen(kind, emit);
        Some(())
    }

    fn vencrypt_chosen(&mut self, kind: VencryptType, emit: Emit<'_>) {
        emit(Message::VencryptChosen(kind));
        self.offered = vec![SecurityType(kind.0)];
        match kind {
            kind if kind.is_tls() => self.then(&[Next::VencryptGo]),
            VencryptType::PLAIN => {
                self.initialise_after(&[Next::TwoTexts(Width::U32), Next::Result])
            }
            VencryptType::IDENT => {
                self.initialise_after(&[Next::Counted(Client, Count::U32Be, 0), Next::Result]);
            }
            VencryptType(code @ 0..=255) if code != SecurityType::VENCRYPT.0 => {
                self.follow(SecurityType(code), emit);
            }
            _ => self.hide(Cover::Unknown),
        }
    }

    /// The second acknowledgement: 1 is consent, the opposite of the first.
    fn vencrypt_go(&mut self, reader: &mut Reader<'_>, emit: Emit<'_>) -> Option<()> {
        match reader.u8()? {
            1 => self.start_vencrypt_tls(emit),
            _ => self.refuse(emit),
        }
        Some(())
    }

    fn start_vencrypt_tls(&mut self, emit: Emit<'_>) {
        let kind = match self.offered.as_slice() {
            &[SecurityType(only)] => Some(VencryptType(only)),
            _ => None,
        };
        if kind.is_some_and(VencryptType::is_none) {
            self.unauthenticated = true;
            emit(Message::Unauthenticated);
        }
        self.tls(Inside::of(kind), emit);
    }

    /// A message of a security type was lost with its sender.
    pub(super) fn do_without_security(&mut self, next: Next, emit: Emit<'_>) {
        match next {
            // The place in an exchange of RA2 is lost; in the one whose session is in clear, for good.
            Next::RsaKey(_) if self.script.first() == Some(&Next::Hidden) => {
                self.script.truncate(1)
            }
            Next::RsaKey(_) => self.hide(Cover::Unknown),
            // Which lists there were is told by the codes that the client sends, if any.
            Next::TightTunnels | Next::TightTypes => self.then(&[Next::TightAnswer]),
            Next::TightType => {
                let kind = match self.offered.as_slice() {
                    &[SecurityType(only)] => TightAuthentication(only),
                    types if types.contains(&SecurityType::VNC_AUTH) => TightAuthentication::VNC,
                    _ => return self.hide(Cover::Unknown),
                };
                self.tight_chosen(kind, emit);
            }
            Next::VencryptChoice => match self.offered.as_slice() {
                &[SecurityType(only)] => self.vencrypt_chosen(VencryptType(only), emit),
                types if types.iter().all(|kind| VencryptType(kind.0).is_tls()) => {
                    self.then(&[Next::VencryptGo]);
                }
                _ => self.hide(Cover::Unknown),
            },
            Next::VencryptGo => self.start_vencrypt_tls(emit),
            Next::DiffieHellman => self.then(&[Next::Skip(Client, 2 * CREDENTIALS)]),
            // What remains asks for no decision: it is left out.
            _ => self.then(&[]),
        }
    }
}

/// The keys of both sides, then their random numbers.
const RSA_KEYS: [Next; 4] = [
    Next::RsaKey(Server),
    Next::RsaKey(Client),
    Next::Counted(Server, Count::U16Be, 0),
    Next::Counted(Client, Count::U16Be, 0),
];

/// A message of RA2: length, octets, 16 octets of authentication tag.
const fn rsa_message(role: Role) -> Next {
    Next::Counted(role, Count::U16Be, 16)
}

/// RA2 whose session is in clear: keys and random numbers, the hash of both, the kind of credentials, the credentials.
const RSA_THEN_CLEAR: [Next; 9] = {
    let [server_key, client_key, server_random, client_random] = RSA_KEYS;
    [
        server_key,
        client_key,
        server_random,
        client_random,
        rsa_message(Server),
        rsa_message(Client),
        rsa_message(Server),
        rsa_message(Client),
        Next::Result,
    ]
};

/// Mechanisms, the one chosen, its start; then the server's answer, in as many steps as it needs.
const SASL: [Next; 6] = [
    Next::Counted(Server, Count::U32Be, 0),
    Next::Counted(Client, Count::U32Be, 0),
    Next::Counted(Client, Count::U32Be, 0),
    Next::Counted(Server, Count::U32Be, 0),
    Next::SaslStep,
    Next::Result,
];

/// Challenge and response of VNC authentication.
const CHALLENGE: u64 = 16;
/// User and password of ARD, encrypted: 64 octets each.
const CREDENTIALS: u64 = 128;
