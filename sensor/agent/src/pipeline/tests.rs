use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use terrier_engine::alert::Alert;
use terrier_engine::detect::NameSource;
use terrier_engine::observation::{FlowEnd, FlowRef, Observation};
use terrier_engine::signature::Signatures;
use terrier_engine::{HomeNetworks, JudgeConfig};
use terrier_traffic::Kind;

use super::*;
use crate::capture::{CaptureFile, Source as _};

/// Keeps what comes, in its order.
#[derive(Default)]
struct Told {
    all: Vec<String>,
    /// Panics at so many.
    breaks_at: Option<usize>,
}

impl Told {
    fn add(&mut self, what: String) {
        self.all.push(what);
        assert!(Some(self.all.len()) != self.breaks_at, "as it was asked to");
    }
}

impl Sink for Told {
    fn observation(&mut self, observation: &Observation, protocol: &'static str) {
        self.add(format!("{protocol} {observation:?}"));
    }

    fn alert(&mut self, alert: &Alert, opened: bool) {
        self.add(format!("{opened} {alert:?}"));
    }

    fn flow(&mut self, flow: &FlowRef, end: &FlowEnd, name: Option<(&str, NameSource)>) {
        self.add(format!("{flow:?} {end:?} {name:?}"));
    }
}

fn pipeline(workers: u16, under_way: usize, sink: Told) -> Pipeline<Told> {
    let limits = Limits {
        under_way,
        ..Limits::default()
    };
    let judge = Judge::new(JudgeConfig {
        home: HomeNetworks::default(),
        signatures: Arc::new(Signatures::built_in()),
        workers,
        seed: 7,
        limits,
    });
    let config = PipelineConfig {
        workers,
        seed: 7,
        limits,
        wanted: Wanted::ALL,
    };
    Pipeline::start(config, judge, sink)
}

/// A capture of some ten or more chunks.
fn capture(kind: Kind) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let mut octets = Vec::new();
    terrier_traffic::write(kind, 5, &mut octets).expect("written to memory");
    file.write_all(&octets).expect("written");
    file
}

/// A capture file, and what there is of it.
struct Read(CaptureFile);

impl Read {
    fn open(path: &Path) -> Self {
        Self(CaptureFile::open(path, 0).expect("a capture"))
    }
}

impl Feed for Read {
    fn fill(&mut self, chunk: &mut Chunk) -> Filled {
        self.0.fill(chunk).expect("nothing is wrong with it")
    }
}

fn told(path: &Path, workers: u16, under_way: usize) -> Vec<String> {
    let mut pipeline = pipeline(workers, under_way, Told::default());
    pipeline.run(&Arc::new(Mutex::new(Read::open(path))), None);
    let (_, sink, progress) = pipeline.finish();
    assert!(progress.packets > 5_000, "{progress:?}");
    sink.all
}

#[test]
fn many_blocks_tell_the_same_however_many_share_them() {
    for kind in [
        Kind::Flows { flows: 6_000 },
        Kind::Mix { octets: 8 << 20 },
        Kind::Small { packets: 30_000 },
    ] {
        let file = capture(kind);
        let alone = told(file.path(), 1, 16);
        assert!(alone.len() > 1_000, "{kind:?}: {}", alone.len());
        for (workers, under_way) in [(2, 1), (2, 2), (2, 16), (3, 16), (5, 3), (8, 16)] {
            let shared = told(file.path(), workers, under_way);
            let differs = (0..)
                .zip(alone.iter().zip(&shared))
                .find(|(_, (a, b))| a != b);
            assert!(
                differs.is_none() && alone.len() == shared.len(),
                "{kind:?}, {workers} workers, {under_way} blocks: {differs:?}"
            );
        }
    }
}

#[test]
fn what_is_pushed_tells_the_same_as_what_is_read() {
    let file = capture(Kind::Flows { flows: 3_000 });
    let alone = told(file.path(), 1, 16);
    for workers in [1, 2, 3] {
        let mut pipeline = pipeline(workers, 4, Told::default());
        let mut read = Read::open(file.path());
        let mut chunk = Chunk::new();
        while read.fill(&mut chunk) != Filled::End {
            pipeline.chunk(&mut chunk);
        }
        let (_, sink, _) = pipeline.finish();
        assert!(sink.all == alone, "{workers} workers");
    }
}

/// Gives what there is of a capture each time that it is let.
struct Let {
    read: Read,
    more: Receiver<()>,
}

impl Feed for Let {
    fn fill(&mut self, chunk: &mut Chunk) -> Filled {
        match self.more.recv() {
            Ok(()) => self.read.fill(chunk),
            Err(_) => Filled::End,
        }
    }
}

#[test]
fn what_came_is_told_while_more_is_waited_for() {
    let file = capture(Kind::Flows { flows: 6_000 });
    for workers in [1, 2, 3] {
        let (allow, more) = channel();
        let (came, coming) = channel();
        let feed = Let {
            read: Read::open(file.path()),
            more,
        };
        let mut pipeline = pipeline(workers, 16, Told::default());
        let running = std::thread::spawn(move || {
            let look: Look<Told> = Box::new(move |_, sink| {
                let _ = came.send(sink.all.len());
            });
            pipeline.run(&Arc::new(Mutex::new(feed)), Some(look));
            pipeline.finish().1.all.len()
        });
        let mut last = 0;
        for _ in 0..4 {
            allow.send(()).expect("it goes on");
            // Each chunk holds hundreds of answers, and the next one does not come before one of them was seen.
            let more = loop {
                match coming.recv_timeout(Duration::from_secs(60)) {
                    Ok(count) if count > last => break count,
                    Ok(_) => {}
                    Err(_) => panic!("nothing came of {workers} workers"),
                }
            };
            last = more;
        }
        drop(allow);
        assert!(running.join().expect("it ended") > 1_000);
    }
}

#[test]
fn short_runs_end_however_the_threads_meet() {
    let file = capture(Kind::Small { packets: 300 });
    for run in 0..600 {
        let workers = 2 + run % 4;
        let mut pipeline = pipeline(workers, 1, Told::default());
        pipeline.run(&Arc::new(Mutex::new(Read::open(file.path()))), None);
        let (_, sink, _) = pipeline.finish();
        assert!(!sink.all.is_empty());
    }
}

#[test]
fn a_thread_that_panics_ends_the_run() {
    let file = capture(Kind::Flows { flows: 6_000 });
    for workers in [2, 4] {
        let sink = Told {
            breaks_at: Some(1_000),
            ..Told::default()
        };
        let path = file.path().to_owned();
        let ended = std::panic::catch_unwind(AssertUnwindSafe(move || {
            let mut pipeline = pipeline(workers, 16, sink);
            pipeline.run(&Arc::new(Mutex::new(Read::open(&path))), None);
            pipeline.finish();
        }));
        assert!(ended.is_err(), "{workers} workers");
    }
}
