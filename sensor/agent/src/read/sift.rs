//! Which packets of the captures are looked at: `--since`, `--until`, `--filter`.

use std::collections::BTreeMap;

use crate::capture::{Chunk, Filter, Window};
use crate::cli::ReadArgs;
use crate::exit::{self, Failure};

/// Holds packets back, and counts them.
pub(super) struct Sift {
    window: Window,
    filter: Option<Filter>,
    /// How many packets of this capture the filter held back, those that it has no meaning for included.
    filtered: u64,
    /// How many of all captures before this one it has no meaning for.
    unfit_before: u64,
}

impl Sift {
    /// What the command line says.
    ///
    /// # Errors
    /// When the filter cannot be compiled, or nothing can lie in the span of time.
    pub(super) fn new(args: &ReadArgs) -> Result<Self, Failure> {
        let filter = args.shared.filter.as_deref().map(Filter::new);
        Ok(Self {
            window: Window::new(args.since, args.until).map_err(exit::usage)?,
            filter: filter.transpose().map_err(exit::usage)?,
            filtered: 0,
            unfit_before: 0,
        })
    }

    /// Another capture begins, with its own first packet and its own counts.
    pub(super) fn restart(&mut self) {
        self.window.restart();
        self.filtered = 0;
        self.unfit_before = self.unfit();
    }

    /// From when on nothing is looked at; `first_ns` is the time of the first packet.
    pub(super) fn end_ns(&self, first_ns: Option<i64>) -> Option<i64> {
        self.window.end_ns(first_ns)
    }

    /// Keeps what is to be looked at.
    ///
    /// # Errors
    /// When it turns out that nothing can lie in the span of time.
    pub(super) fn keep(&mut self, chunk: &mut Chunk) -> Result<(), Failure> {
        if !self.window.is_everything() {
            self.window.keep(chunk).map_err(exit::usage)?;
        }
        if let Some(filter) = &mut self.filter {
            let before = chunk.len();
            filter.keep(chunk);
            self.filtered += (before - chunk.len()) as u64;
        }
        Ok(())
    }

    /// How many packets of this capture were held back, by reason.
    pub(super) fn left_out(&self) -> BTreeMap<&'static str, u64> {
        let unfit = self.unfit() - self.unfit_before;
        [
            ("before_since", self.window.before),
            ("after_until", self.window.after),
            ("filter", self.filtered - unfit),
            ("unfit_filter", unfit),
        ]
        .into_iter()
        .filter(|&(_, packets)| packets > 0)
        .collect()
    }

    /// Packets that were held back because nothing could be said of them may be what is looked for, so that is an error.
    ///
    /// # Errors
    /// When the filter has no meaning for the link type of some packets.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let Some(filter) = &self.filter else {
            return Ok(());
        };
        let told: Vec<String> = filter
            .unfit()
            .map(|(link, why, packets)| {
                format!(
                    "the filter cannot be applied to the {packets} packets of link type {}: {why}",
                    link.0
                )
            })
            .collect();
        if told.is_empty() {
            Ok(())
        } else {
            Err(exit::usage(told.join("; ")))
        }
    }

    fn unfit(&self) -> u64 {
        let filters = self.filter.iter();
        filters
            .flat_map(|filter| filter.unfit())
            .map(|(_, _, packets)| packets)
            .sum()
    }
}
