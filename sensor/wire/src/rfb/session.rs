//! The state machine of one flow.

use super::handshake::Handshake;
use super::message::Message;
use super::script::Next;
use crate::{Side, Violation};

/// Reads a handshake from the octets of both sides.
///
/// Each side is read at its own place; octets that come before the other side's turn are left to be offered again. When
/// the other side was not captured at all, they are also read on trial, as if its messages had been lost: a trial that
/// ends in a session is believed at once, since nobody shows a desktop to a silent peer; any other when the flow ends.
/// A side that lost octets in the middle is done without from there on, as far as the other side tells what it must
/// have said.
#[derive(Debug, Clone)]
pub struct Session {
    handshake: Handshake,
    /// Sides that sent something.
    heard: [bool; 2],
    trial: Option<Box<Trial>>,
}

/// A reading of octets that wait.
#[derive(Debug, Clone)]
struct Trial {
    handshake: Handshake,
    messages: Vec<Message>,
    /// Whose octets were read, how many there were and how many the reading took.
    side: Side,
    offered: usize,
    used: usize,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// A flow of which nothing was read.
    #[must_use]
    pub fn new() -> Self {
        Self {
            handshake: Handshake::new(),
            heard: [false; 2],
            trial: None,
        }
    }

    /// Reads the whole messages at the start of `input`; returns how many octets they took. It stops where TLS begins
    /// ([`in_tls`](Self::in_tls)): called again, it counts the records.
    ///
    /// # Errors
    /// When the octets cannot be RFB.
    pub fn feed(
        &mut self,
        from: Side,
        input: &[u8],
        mut emit: impl FnMut(Message),
    ) -> Result<usize, Violation> {
        if input.is_empty() {
            return Ok(0);
        }
        if let Some(heard) = self.heard.get_mut(from.index()) {
            *heard = true;
        }
        if self.trial.as_ref().is_some_and(|trial| trial.side != from) {
            self.trial = None;
        }
        let used = self.handshake.run(from, input, &mut emit)?;
        let rest = input.get(used..).unwrap_or_default();
        if rest.is_empty() || !self.handshake.waits_for_other(from) {
            return Ok(used);
        }
        Ok(used + self.wait(from, rest, &mut emit))
    }

    /// These octets wait for the other side. Answers how many it took after all.
    fn wait(&mut self, from: Side, rest: &[u8], emit: &mut dyn FnMut(Message)) -> usize {
        let is_heard = self
            .heard
            .get(from.other().index())
            .copied()
            .unwrap_or(false);
        if rest.len() > MAX_AHEAD {
            // Whatever the other side was to say, it cannot be that late.
            if let Some(role) = self.handshake.role_of(from) {
                self.handshake.lose(role.other());
            }
            return self.handshake.run(from, rest, emit).unwrap_or_else(|_| {
                self.handshake.script.push(Next::Done);
                rest.len()
            });
        }
        let is_old = |trial: &Trial| trial.side == from && trial.offered == rest.len();
        if is_heard || self.trial.as_deref().is_some_and(is_old) {
            return 0;
        }
        let trial = self.try_alone(from, rest);
        if trial.handshake.session {
            return self.believe(trial, emit);
        }
        if self
            .trial
            .as_ref()
            .is_none_or(|old| old.messages.len() < trial.messages.len())
        {
            emit(Message::OnTrial);
        }
        self.trial = Some(Box::new(trial));
        0
    }

    /// Reads octets as if the other side had not been captured.
    fn try_alone(&self, from: Side, rest: &[u8]) -> Trial {
        let as_it_is = self.trial_of(from, rest, |_, _| {});
        let is_first_answer = self.handshake.next() == Next::ClientVersion;
        // A responder that greets is the server: its types and what follows may look like a client's answers, and a reverse
        // session that nobody opened is worse than one that is missed.
        if as_it_is.handshake.session || !is_first_answer || from == Side::Responder {
            return as_it_is;
        }
        // Only one greeting was seen; it may have been the client's.
        let swapped = self.trial_of(from, rest, |handshake, messages| {
            handshake.swap_roles(&mut |message| messages.push(message));
            handshake.script.pop();
        });
        let is_likely = as_it_is.messages.is_empty() && swapped.messages.len() > 1;
        if swapped.handshake.session || is_likely {
            swapped
        } else {
            as_it_is
        }
    }

    fn trial_of(
        &self,
        side: Side,
        rest: &[u8],
        prepare: impl FnOnce(&mut Handshake, &mut Vec<Message>),
    ) -> Trial {
        let mut handshake = self.handshake.clone();
        let mut messages = Vec::new();
        prepare(&mut handshake, &mut messages);
        if let Some(role) = handshake.role_of(side) {
            handshake.lose(role.other());
        }
        let run = handshake.run(side, rest, &mut |message| messages.push(message));
        let used = run.unwrap_or(rest.len());
        Trial {
            handshake,
            messages,
            side,
            offered: rest.len(),
            used,
        }
    }

    fn believe(&mut self, trial: Trial, emit: &mut dyn FnMut(Message)) -> usize {
        self.handshake = trial.handshake;
        self.trial = None;
        trial.messages.into_iter().for_each(emit);
        trial.used
    }

    /// `length` octets of one side were lost (0: unknown). What that side says later is understood no more, except where
    /// all is hidden anyway.
    pub fn gap(&mut self, from: Side, length: u64) {
        // What octets before the gap said stays true while nobody contradicts it.
        if self.trial.as_ref().is_some_and(|trial| trial.side != from) {
            self.trial = None;
        }
        self.handshake.gap(from, length);
    }

    /// The flow ended: tells what octets say that waited for a side nobody captured.
    pub fn end(&mut self, mut emit: impl FnMut(Message)) {
        if let Some(trial) = self.trial.take() {
            self.believe(*trial, &mut emit);
        }
        if let Some(unsaid) = self.handshake.unsaid() {
            self.handshake.finish();
            emit(unsaid);
        }
    }

    /// Whether it wants no more octets.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handshake.is_done()
    }

    /// Whether nothing can be read any more: the octets are only counted.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.handshake.next() == Next::Hidden
    }

    /// Whether the flow carries TLS from here on.
    #[must_use]
    pub fn in_tls(&self) -> bool {
        self.handshake.in_tls()
    }
}

/// So far one side runs ahead by mere delivery; handshakes have no longer message than a thousand octets.
const MAX_AHEAD: usize = 4096;
