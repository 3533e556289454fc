//! Giving up privileges once everything is open.
//!
//! *In*: a process that has opened its output, its listening socket and its interfaces, and has no second thread yet: Linux
//! keeps capabilities by thread. *Out*: a process without any capability, which no program that it might start can win back.
//!
//! *Left out*: the user stays the same, so a sensor that root started still owns root's files; seccomp and Landlock.

use std::io;

/// Drops every capability of the calling thread and of all threads that it starts.
///
/// # Errors
/// When the kernel refuses, which it has no documented reason for.
#[cfg(target_os = "linux")]
pub fn drop_all() -> io::Result<()> {
    use rustix::thread::{self, CapabilitySet, CapabilitySets};

    // Otherwise root, or a file with capabilities, would get them back by exec.
    thread::set_no_new_privs(true)?;
    let none = CapabilitySet::empty();
    // The kernel takes out of the ambient set what leaves the permitted or the inheritable one.
    thread::set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )?;
    Ok(())
}

/// There are no capabilities here to drop.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub fn drop_all() -> io::Result<()> {
    Ok(())
}
