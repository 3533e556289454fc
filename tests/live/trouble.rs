//! What happens in months: interfaces go down and come up again, and nobody is at the other end of a pipe any more.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::{Namespace, told};
use crate::support;

#[test]
fn the_only_interface_is_waited_for_when_it_goes_down() {
    let Some(namespace) = Namespace::new(1) else {
        return;
    };
    let sensor = namespace.watch(&["-i", "a0", "--emit", "alert,stats"]);
    namespace.ip("link set a0 down");
    sensor.await_said("a0: the interface went down");
    sensor.await_ready(503);
    namespace.ip("link set a0 up");
    let path = support::root().join("pcaps/vnc/tigervnc-no-password.pcapng");
    namespace.replay(&path, "b0");
    sensor.await_said("a0: packets come again");
    sensor.await_ready(200);
    sensor.signal(Signal::TERM);
    let ran = sensor.end();
    ran.expect(0, &[]);
    assert_eq!(told(ran.records()), told(support::read(&[path]).records()));
}

#[test]
fn an_interface_that_goes_down_in_the_midst_of_traffic_is_ready_again() {
    let Some(namespace) = Namespace::new(1) else {
        return;
    };
    let path = support::root().join("pcaps/benign/chromium.pcapng");
    for workers in ["1", "2"] {
        let sensor = namespace.watch(&["-i", "a0", "--workers", workers, "--emit", "stats"]);
        for _ in 0..2 {
            // The kernel still holds back a block of these when the interface goes down.
            namespace.replay(&path, "b0");
            namespace.ip("link set a0 down");
            sensor.await_said("a0: the interface went down");
            sensor.await_ready(503);
            namespace.ip("link set a0 up");
            namespace.replay(&path, "b0");
            sensor.await_said("a0: packets come again");
            sensor.await_ready(200);
            // Within a second it would pass for what another ring says of the same.
            thread::sleep(Duration::from_millis(1_100));
        }
        sensor.signal(Signal::TERM);
        sensor.end().expect(0, &[]);
    }
}

#[test]
fn goes_on_when_nobody_hears_what_it_says() {
    let Some(namespace) = Namespace::new(1) else {
        return;
    };
    let path = support::root().join("pcaps/benign/chromium.pcapng");
    let mut sensor = namespace.watch(&["-i", "a0", "--emit", "stats"]);
    // Its pipe is closed with the next line.
    sensor.said = channel().1;
    for _ in 0..2 {
        namespace.ip("link set a0 down");
        sensor.await_ready(503);
        namespace.ip("link set a0 up");
        namespace.replay(&path, "b0");
        sensor.await_ready(200);
        thread::sleep(Duration::from_millis(1_100));
    }
    sensor.signal(Signal::TERM);
    sensor.end().expect(0, &[]);
}
