//! The compressed messages of one side.

use flate2::{Decompress, FlushDecompress, Status};

use crate::Violation;

/// Inflates the messages of one side. Nothing is allocated before the first compressed one.
#[derive(Debug)]
pub(super) struct Inflater {
    state: Option<Box<Decompress>>,
    /// Each message is compressed for itself.
    forgets: bool,
    /// The message's last block said that it is the last: what follows of the message is padding.
    ended: bool,
    made: u64,
}

impl Inflater {
    /// What it takes once something was inflated.
    pub(super) fn held(&self) -> usize {
        self.state.as_ref().map_or(0, |_| STATE)
    }

    pub(super) fn new(forgets: bool) -> Self {
        Self {
            state: None,
            forgets,
            ended: false,
            made: 0,
        }
    }

    /// Inflates a piece of a message.
    pub(super) fn piece(
        &mut self,
        mut input: &[u8],
        mut emit: impl FnMut(&[u8]),
    ) -> Result<(), Violation> {
        let state = self
            .state
            .get_or_insert_with(|| Box::new(Decompress::new(false)));
        let mut output = [0; PIECE];
        // Each round takes or makes octets; `MAX_INFLATED` bounds those that only make some.
        while !self.ended {
            let before = (state.total_in(), state.total_out());
            let status = state
                .decompress(input, &mut output, FlushDecompress::Sync)
                .map_err(|_| Violation("a compressed message does not inflate"))?;
            let used = usize::try_from(state.total_in() - before.0).unwrap_or(usize::MAX);
            let made = usize::try_from(state.total_out() - before.1).unwrap_or(usize::MAX);
            self.made += state.total_out() - before.1;
            if self.made > MAX_INFLATED {
                return Err(Violation("messages inflate to too much"));
            }
            emit(output.get(..made).unwrap_or(&output));
            input = input.get(used..).unwrap_or_default();
            match status {
                Status::StreamEnd => self.ended = true,
                // The output was not filled: all of the input was read.
                _ if made < PIECE => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }

    /// The message is whole: what the sender left out of its end (RFC 7692, section 7.2.2) is put back.
    pub(super) fn end_of_message(&mut self, emit: impl FnMut(&[u8])) -> Result<(), Violation> {
        self.piece(b"\x00\x00\xff\xff", emit)?;
        if self.forgets || self.ended {
            self.ended = false;
            if let Some(state) = &mut self.state {
                state.reset(false);
            }
        }
        Ok(())
    }
}

/// A screen of 1920 by 1080 pixels in four octets each is 8 MiB: by then each protocol inside has told what it is. More
/// is a download, or made to cost us.
pub const MAX_INFLATED: u64 = 8 * 1024 * 1024;

/// On the stack.
const PIECE: usize = 4096;

/// The window of 32 KiB and the tables of the codes, rounded up.
const STATE: usize = 48 * 1024;
