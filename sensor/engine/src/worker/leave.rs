//! How flows and conversations leave: at a tick, with the input, or because there is no room for all.

use super::{END_OF_INPUT, Facts, Worker, count_sessions};
use crate::counters::Counters;
use crate::flow::{Flow, FlowTable, Phase, Traits};
use crate::observation::{EndCause, Fact, Frames, Observation};
use crate::packet::Packet;
use crate::protocol::{self, Emit};

impl Worker {
    /// The flows that end with a tick and have something to tell, the last one to be told first; the others end here. The
    /// timers give them in no particular order; facts have one.
    pub(super) fn leaving(&mut self, at_ns: i64) -> Vec<(u64, u32)> {
        let mut leaving = Vec::new();
        if at_ns == END_OF_INPUT {
            for (at, flow) in self.table.iter() {
                if flow.phase == Phase::Watched || self.config.wanted.wants_end(flow) {
                    leaving.push((flow.opened, at));
                } else {
                    count_end(&mut self.counters, flow);
                }
            }
            self.table.forget_all_but(&leaving);
        } else {
            self.now_ns = at_ns;
            let mut expired = Vec::with_capacity(FlowTable::TOGETHER);
            loop {
                self.table.expired(at_ns, &mut expired);
                if expired.is_empty() {
                    break;
                }
                for &at in &expired {
                    let flow = self.table.get(at);
                    if flow.phase == Phase::Watched || self.config.wanted.wants_end(flow) {
                        leaving.push((flow.opened, at));
                    } else {
                        count_end(&mut self.counters, flow);
                        self.table.remove(at);
                    }
                }
            }
        }
        leaving.sort_unstable_by(|one, other| other.cmp(one));
        leaving
    }

    /// Gives up conversations of other flows than this one until what is left may be held; this one only where it alone
    /// holds too much. What is worth least goes first: those in which one side has spoken only, then those that are silent
    /// for the longest time.
    pub(super) fn make_room(&mut self, at: u32, packet: &Packet<'_>, facts: &mut Facts) {
        let told = facts.observations.len();
        while self.conversations.is_crowded() {
            let mut least = None;
            for (owner, half_told) in self.conversations.some(at) {
                let worth = (!half_told, self.table.get(owner).last_ns, owner);
                if least.is_none_or(|least| worth < least) {
                    least = Some(worth);
                }
            }
            let victim = least.map_or(at, |(_, _, owner)| owner);
            let identity = self.table.identity(victim);
            let flow = self.table.get(victim);
            let place = flow.aside;
            let last_ns = flow.last_ns;
            (flow.phase, flow.aside) = (Phase::Decided, u32::MAX);
            let Some(mut conversation) = self.conversations.remove(place) else {
                return;
            };
            self.counters.sessions_given_up += 1;
            let before = facts.observations.len();
            let out = &mut facts.observations;
            let mut emit = Emit::new(&identity, last_ns, packet.seq, None, out);
            emit.with_fingerprints(self.config.wanted.fingerprints);
            emit.with_openings(&self.config.wanted.openings);
            conversation.end(&mut emit);
            self.counters.add_tally(emit.tally());
            count_sessions(&mut self.sessions, emit.tally());
            if asks_for_end(&facts.observations[before..]) {
                self.table.get(victim).mark(Traits::REMEMBERED);
            }
        }
        if facts.observations.len() > told {
            // Flows that were opened before this one have told something at its packet.
            let first = facts.observations[..told]
                .iter()
                .rposition(|observation| observation.key.seq != packet.seq)
                .map_or(0, |before| before + 1);
            facts.observations[first..].sort_by_key(|observation| observation.key);
        }
    }

    pub(super) fn end_flow(
        &mut self,
        at: u32,
        cause: EndCause,
        seq: u64,
        packet: Option<&Packet<'_>>,
        facts: &mut Facts,
    ) {
        let flow = self.table.get(at);
        count_end(&mut self.counters, flow);
        let mut wanted = self.config.wanted.wants_end(flow);
        let place = (flow.phase == Phase::Watched).then_some(flow.aside);
        if !wanted && place.is_none() {
            self.table.remove(at);
            return;
        }
        let (mut end, last_ns) = (flow.end(cause), flow.last_ns);
        let mut service = flow.service;
        let identity = self.table.identity(at);
        if cause == EndCause::EndOfInput {
            self.table.remove_last(at);
        } else {
            self.table.remove(at);
        }
        if let Some(mut conversation) = place.and_then(|place| self.conversations.remove(place)) {
            let before = facts.observations.len();
            let mut emit = Emit::new(&identity, last_ns, seq, None, &mut facts.observations);
            emit.with_fingerprints(self.config.wanted.fingerprints);
            emit.with_openings(&self.config.wanted.openings);
            conversation.end(&mut emit);
            let tally = emit.tally();
            if let Some(last) = tally.sessions.last() {
                service = Some(last);
            }
            self.counters.add_tally(tally);
            count_sessions(&mut self.sessions, tally);
            wanted |= asks_for_end(&facts.observations[before..]);
        }
        if !wanted {
            return;
        }
        end.service = service.map(protocol::name);
        let capture = packet.map_or(0, |packet| packet.capture);
        let mut emit = Emit::new(&identity, last_ns, seq, None, &mut facts.observations);
        emit.fact(&Frames::none(capture), Fact::FlowEnded(Box::new(end)));
    }
}

/// Whether the end of a flow in which these facts were seen is wanted.
pub(super) fn asks_for_end(facts: &[Observation]) -> bool {
    facts
        .iter()
        .any(|observation| observation.fact.asks_for_end())
}

pub(super) fn count_end(counters: &mut Counters, flow: &Flow) {
    let transport = Counters::place(flow.transport());
    counters.flows_ended[transport] += 1;
    counters.one_sided_flows[transport] += u64::from(flow.one_sided());
}
