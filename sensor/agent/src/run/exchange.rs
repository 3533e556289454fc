//! Packets that came to one worker and concern another: what lies in tunnels and in fragments, of which the kernel sees
//! the outside only.
//!
//! Each worker has one bounded queue. Nobody waits at a queue that is full: the packet is lost, and counted. A worker looks
//! at what it was given in the order of capture, its own included, as soon as no worker can give it anything earlier: each
//! says up to which time it has looked at its rings.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use terrier_engine::{LinkType, Packet};

/// Packets from one worker to another, in the order in which they came to it.
#[derive(Debug, Default)]
struct Parcel {
    from: usize,
    octets: Vec<u8>,
    packets: VecDeque<Kept>,
    /// What it takes of the queue's room, in octets.
    size: usize,
}

/// A packet of a parcel.
#[derive(Debug, Clone, Copy)]
struct Kept {
    at_ns: i64,
    frame: u64,
    link: LinkType,
    wire_len: u32,
    capture: u16,
    start: usize,
    len: usize,
}

impl Parcel {
    fn put(&mut self, packet: &Packet<'_>) {
        self.packets.push_back(Kept {
            at_ns: packet.at_ns,
            frame: packet.frame,
            link: packet.link,
            wire_len: packet.wire_len,
            capture: packet.capture,
            start: self.octets.len(),
            len: packet.octets.len(),
        });
        self.octets.extend_from_slice(packet.octets);
        self.size += packet.octets.len() + size_of::<Kept>();
    }
}

/// The queue of one worker.
struct Queue {
    sender: Sender<Parcel>,
    /// Octets in the queue and in the hands of its worker.
    taken: Arc<AtomicUsize>,
}

/// A worker's part of the exchange.
pub(super) struct Exchange {
    own: usize,
    queues: Vec<Queue>,
    inbox: Receiver<Parcel>,
    /// Up to which time each worker has looked at its rings and sent what concerns others.
    through: Arc<[AtomicI64]>,
    /// What is to be sent, by worker.
    going: Vec<Parcel>,
    /// What was given, by the worker who gave it, not yet looked at.
    waiting: Vec<VecDeque<Parcel>>,
    most: usize,
}

impl Exchange {
    /// Those of all workers, with this much room in each queue, in octets.
    pub(super) fn among(workers: u16, most: usize) -> Vec<Self> {
        let count = usize::from(workers);
        let through: Arc<[AtomicI64]> = (0..count).map(|_| AtomicI64::new(i64::MIN)).collect();
        let (senders, inboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| channel()).unzip();
        let taken: Vec<Arc<AtomicUsize>> = (0..count).map(|_| Arc::default()).collect();
        let queues = || {
            let queue = |(sender, taken): (&Sender<Parcel>, &Arc<AtomicUsize>)| Queue {
                sender: sender.clone(),
                taken: Arc::clone(taken),
            };
            senders.iter().zip(&taken).map(queue).collect()
        };
        let each = (0..count).zip(inboxes).map(|(own, inbox)| Self {
            own,
            queues: queues(),
            inbox,
            through: Arc::clone(&through),
            going: (0..count).map(|_| Parcel::default()).collect(),
            waiting: (0..count).map(|_| VecDeque::new()).collect(),
            most,
        });
        each.collect()
    }

    /// Sets a packet aside for the workers whose bits are set.
    pub(super) fn put(&mut self, packet: &Packet<'_>, mut to: u64) {
        while to != 0 {
            let worker = to.trailing_zeros() as usize;
            to &= to - 1;
            if let Some(parcel) = self.going.get_mut(worker) {
                parcel.put(packet);
            }
        }
    }

    /// Sends what was set aside. Packets that find no room are told to `lost`, by their capture, once for each worker that
    /// does not get them.
    pub(super) fn send(&mut self, mut lost: impl FnMut(u16)) {
        for (parcel, queue) in self.going.iter_mut().zip(&self.queues) {
            if parcel.packets.is_empty() {
                continue;
            }
            let size = parcel.size;
            let before = queue.taken.fetch_add(size, Ordering::Relaxed);
            let parcel = Parcel {
                from: self.own,
                ..std::mem::take(parcel)
            };
            let refused = if before + size > self.most {
                Some(parcel)
            } else {
                // A worker that has ended takes nothing more.
                queue.sender.send(parcel).err().map(|refused| refused.0)
            };
            if let Some(parcel) = refused {
                queue.taken.fetch_sub(size, Ordering::Relaxed);
                parcel.packets.iter().for_each(|kept| lost(kept.capture));
            }
        }
    }

    /// Everything that was captured up to this time and came to this worker has been sent.
    pub(super) fn sent_through(&self, at_ns: i64) {
        if let Some(through) = self.through.get(self.own) {
            // What was sent before is seen by whoever sees this time.
            through.fetch_max(at_ns, Ordering::Release);
        }
    }

    /// Whether all workers have sent their last.
    pub(super) fn is_over(&self) -> bool {
        self.reached() == i64::MAX
    }

    fn reached(&self) -> i64 {
        let each = self.through.iter();
        each.map(|through| through.load(Ordering::Acquire))
            .min()
            .unwrap_or(i64::MAX)
    }

    /// Shows `look` what can be looked at, in the order of capture and in batches of at most `batch` packets. Where little
    /// room is left the order of time is given up for the packets.
    pub(super) fn look(&mut self, batch: usize, mut look: impl FnMut(&mut [Packet<'_>])) {
        // The time is asked first: what comes after it is later.
        let reached = self.reached();
        for parcel in self.inbox.try_iter() {
            self.waiting[parcel.from].push_back(parcel);
        }
        let taken = Arc::clone(&self.queues[self.own].taken);
        let mut order = Vec::with_capacity(batch);
        loop {
            let until = if taken.load(Ordering::Relaxed) > self.most / 2 {
                i64::MAX
            } else {
                reached
            };
            order.clear();
            while order.len() < batch
                && let Some(next) = self.next(until)
            {
                order.push(next);
            }
            if order.is_empty() {
                return;
            }
            let mut packets: Vec<Packet<'_>> = order
                .iter()
                .filter_map(|&(from, parcel, kept)| {
                    let octets = &self.waiting.get(from)?.get(parcel)?.octets;
                    Some(kept.packet(octets.get(kept.start..kept.start + kept.len)?))
                })
                .collect();
            look(&mut packets);
            for parcels in &mut self.waiting {
                while parcels
                    .front()
                    .is_some_and(|first| first.packets.is_empty())
                {
                    let size = parcels.pop_front().map_or(0, |done| done.size);
                    taken.fetch_sub(size, Ordering::Relaxed);
                }
            }
        }
    }

    /// Takes the earliest packet out of the lists: whose parcels it lies in, in which of them, and where.
    fn next(&mut self, until: i64) -> Option<(usize, usize, Kept)> {
        let earliest = self
            .waiting
            .iter()
            .enumerate()
            .filter_map(|(from, parcels)| {
                let place = parcels
                    .iter()
                    .position(|parcel| !parcel.packets.is_empty())?;
                let first = parcels.get(place)?.packets.front()?;
                (first.at_ns <= until).then_some((first.at_ns, from, place))
            })
            .min()?;
        let (_, from, place) = earliest;
        let kept = self.waiting[from][place].packets.pop_front()?;
        Some((from, place, kept))
    }
}

impl Kept {
    /// Without a number, which it gets when it is looked at.
    fn packet<'a>(&self, octets: &'a [u8]) -> Packet<'a> {
        Packet {
            at_ns: self.at_ns,
            seq: 0,
            capture: self.capture,
            frame: self.frame,
            link: self.link,
            wire_len: self.wire_len,
            octets,
        }
    }
}

#[cfg(test)]
mod tests;
