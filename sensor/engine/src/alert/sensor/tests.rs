use super::*;

const SECOND: i64 = 1_000_000_000;
const TEN: i64 = 1_763_978_400 * SECOND;

/// A sensor that is looked at each second.
#[derive(Default)]
struct Sensor {
    dropping: Dropping,
    up: u64,
    counts: Counts,
}

impl Sensor {
    /// A second in which so many packets came through, and so many were missed; the lines that are due.
    fn second(&mut self, read: u64, missed: &[(Stage, u64)]) -> Vec<(SensorAlert, bool)> {
        self.counts.read += read;
        for &(stage, count) in missed {
            self.counts.missed[stage as usize] += count;
        }
        self.up += 1;
        self.look(false)
    }

    fn look(&mut self, ended: bool) -> Vec<(SensorAlert, bool)> {
        let mut lines = Vec::new();
        let now = SensorCounts {
            at_ns: TEN + self.up as i64 * SECOND,
            up: Duration::from_secs(self.up),
            parts: vec![(Some("a0".into()), self.counts)],
            ended,
        };
        self.dropping
            .look(&now, |alert, opened| lines.push((alert.clone(), opened)));
        lines
    }

    /// The one line of so many seconds alike.
    #[track_caller]
    fn one_of(&mut self, seconds: u64, read: u64, missed: &[(Stage, u64)]) -> SensorAlert {
        let lines: Vec<_> = (0..seconds)
            .flat_map(|_| self.second(read, missed))
            .collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines[0].0.clone()
    }

    #[track_caller]
    fn none_of(&mut self, seconds: u64, read: u64, missed: &[(Stage, u64)]) {
        for _ in 0..seconds {
            let lines = self.second(read, missed);
            assert!(lines.is_empty(), "{lines:?}");
        }
    }
}

#[test]
fn a_handful_at_the_start_is_no_alert() {
    let mut sensor = Sensor::default();
    sensor.none_of(1, 20, &[(Stage::Kernel, 50), (Stage::Nic, 49)]);
    sensor.none_of(700, 1_000, &[]);
    // Nor is the next one, that long after.
    sensor.none_of(1, 20, &[(Stage::Kernel, 50)]);
    sensor.none_of(60, 1_000, &[]);
    assert!(sensor.look(true).is_empty());
    assert_eq!(sensor.dropping.findings, 0);
}

#[test]
fn a_share_that_hits_few_handshakes_is_none_either() {
    let mut sensor = Sensor::default();
    sensor.none_of(300, 100_000, &[(Stage::Kernel, 90)]);
}

#[test]
fn it_is_as_bad_as_the_share_of_a_minute() {
    for (lost, severity) in [
        (200, Severity::Low),
        (2_000, Severity::Medium),
        (20_000, Severity::High),
    ] {
        let mut sensor = Sensor::default();
        sensor.none_of(60, 100_000, &[]);
        let lines: Vec<_> = (0..60)
            .flat_map(|_| sensor.second(100_000, &[(Stage::Kernel, lost)]))
            .collect();
        let (last, _) = lines.last().expect("an alert");
        assert_eq!(last.severity, severity, "{last:?}");
        assert_eq!(lines.iter().filter(|(_, opened)| *opened).count(), 1);
        let revisions: Vec<u32> = lines.iter().map(|(alert, _)| alert.revision).collect();
        assert!(revisions.iter().copied().eq(0..revisions.len() as u32));
        assert!(lines.iter().all(|(alert, _)| alert.id == last.id));
    }
}

#[test]
fn a_young_run_says_low_until_it_can_judge() {
    let mut sensor = Sensor::default();
    let first = sensor.one_of(1, 1_000, &[(Stage::Kernel, 500)]);
    assert_eq!(first.severity, Severity::Low);
    let (mut lines, mut seconds) = (Vec::new(), 1);
    while lines
        .iter()
        .all(|(alert, _): &(SensorAlert, bool)| alert.severity == Severity::Low)
    {
        lines.extend(sensor.second(1_000, &[(Stage::Kernel, 500)]));
        seconds += 1;
    }
    assert_eq!(seconds, 10);
    // One that ends has nothing more to wait for.
    let mut sensor = Sensor::default();
    sensor.one_of(1, 1_000, &[(Stage::Kernel, 500)]);
    assert_eq!(sensor.look(true)[0].0.severity, Severity::High);
}

#[test]
fn the_reasons_are_words_and_numbers() {
    let mut sensor = Sensor::default();
    sensor.none_of(60, 0, &[]);
    let alert = sensor.one_of(1, 700, &[(Stage::Nic, 100), (Stage::Kernel, 200)]);
    assert_eq!(alert.title, "Packets are lost on a0");
    assert_eq!(alert.first_ns, TEN + 60 * SECOND);
    let said: Vec<_> = alert
        .reasons
        .iter()
        .map(|why| (why.what, &*why.observed))
        .collect();
    assert_eq!(
        said,
        [
            (
                "capture.dropped.nic",
                "100 of 1000 packets since 2025-11-24T10:01:00.000000Z"
            ),
            (
                "capture.dropped.kernel",
                "200 of 1000 packets since 2025-11-24T10:01:00.000000Z"
            ),
            ("severity", "high"),
        ]
    );
    let why = "high, as 30 % of the packets of a minute were lost: 10 % or more";
    assert_eq!(alert.reasons[2].because, why);
    assert!(alert.guidance[1].contains("--ring-size"), "{alert:?}");
}

#[test]
fn it_grows_in_place_and_is_over_after_a_while() {
    let mut sensor = Sensor::default();
    let opened = sensor.one_of(1, 100_000, &[(Stage::Kernel, 150)]);
    // Ten times as much is a line, and a hundred times.
    let grown = sensor.one_of(9, 100_000, &[(Stage::Kernel, 150)]);
    assert_eq!((grown.count, grown.revision), (10, 1));
    sensor.none_of(89, 100_000, &[(Stage::Kernel, 150)]);
    sensor.one_of(1, 100_000, &[(Stage::Kernel, 150)]);
    assert_eq!(sensor.dropping.findings, 100);
    sensor.none_of(599, 100_000, &[]);
    let closed = sensor.one_of(1, 100_000, &[]);
    assert!(!closed.open);
    assert_eq!(closed.id, opened.id);
    assert_eq!(closed.last_ns, TEN + 100 * SECOND);
    assert_eq!(closed.title, "Packets were lost on a0, none for 10 minutes");
    assert_eq!(closed.reasons.last().map(|why| why.what), Some("severity"));
    sensor.none_of(600, 100_000, &[]);
    let next = sensor.one_of(1, 100_000, &[(Stage::Kernel, 15_000)]);
    assert!(next.open && next.id != opened.id && next.revision == 0);
}

#[test]
fn what_grew_since_is_said_at_the_end() {
    let mut sensor = Sensor::default();
    sensor.one_of(3, 100_000, &[(Stage::Kernel, 150)]);
    let last = sensor.look(true);
    assert_eq!((last.len(), last[0].0.count), (1, 3));
    assert!(last[0].0.open && !last[0].1);
    assert!(
        last[0].0.reasons[0]
            .observed
            .starts_with("450 of 300450 packets")
    );
}

#[test]
fn what_is_shed_is_low_and_a_lost_fact_is_high() {
    let mut sensor = Sensor::default();
    let alert = sensor.one_of(20, 1_000, &[(Stage::Shed, 20)]);
    assert_eq!(alert.severity, Severity::Low);
    assert_eq!(
        alert.title,
        "Packets of decided flows are only counted on a0"
    );
    let mut sensor = Sensor::default();
    let alert = sensor.one_of(1, 0, &[(Stage::Facts, 1)]);
    assert_eq!(alert.severity, Severity::High);
    assert!(alert.reasons[0].observed.starts_with("1 facts since "));
}

#[test]
fn a_slow_link_is_told_once_enough_is_lost() {
    let mut sensor = Sensor::default();
    sensor.none_of(99, 30, &[(Stage::Nic, 1)]);
    let alert = sensor.one_of(1, 30, &[(Stage::Nic, 1)]);
    assert_eq!((alert.severity, alert.count), (Severity::Medium, 100));
}
