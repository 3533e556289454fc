//! The options of a packet socket that no crate here has: groups of rings, and programs of classic BPF.
//!
//! *In*: the descriptor of an open packet socket. *Out*: whether the kernel took the option. *By*: packet(7) and socket(7) of
//! Linux. Unsafe code: each call hands the kernel a value that lives as long as the call.

use std::io;
use std::os::fd::AsFd;

use super::program::Instruction;

/// Puts a ring into a group, of which the kernel gives each packet to one member; `None` founds the group. Answers the
/// group's number.
///
/// # Errors
/// When the kernel has no groups (before Linux 4.12 it cannot number them), or the group is of another interface.
pub(super) fn join(socket: impl AsFd, group: Option<u16>) -> io::Result<u16> {
    sys::join(&socket.as_fd(), group)
}

/// The group's packets go to the member that the program's answer names, as its remainder by their number.
///
/// # Errors
/// When the kernel refuses the program.
pub(super) fn deal_by(socket: impl AsFd, program: &[Instruction]) -> io::Result<()> {
    sys::program(&socket.as_fd(), sys::DEAL, program)
}

/// The program's answer is how many octets of a packet come into the ring; of 0 nothing comes.
///
/// # Errors
/// When the kernel refuses the program, or has no room for one so long.
pub(super) fn filter_by(socket: impl AsFd, program: &[Instruction]) -> io::Result<()> {
    sys::program(&socket.as_fd(), sys::FILTER, program)
}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "setsockopt and getsockopt with structures of the kernel"
)]
mod sys {
    use std::ffi::c_int;
    use std::io;
    use std::mem::size_of;
    use std::os::fd::{AsRawFd, BorrowedFd};

    use super::Instruction;

    pub(super) const DEAL: (c_int, c_int) = (libc::SOL_PACKET, libc::PACKET_FANOUT_DATA);
    pub(super) const FILTER: (c_int, c_int) = (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER);

    pub(super) fn join(socket: &BorrowedFd<'_>, group: Option<u16>) -> io::Result<u16> {
        let kind = libc::PACKET_FANOUT_CBPF << 16;
        let (id, kind) = match group {
            Some(id) => (u32::from(id), kind),
            None => (0, kind | libc::PACKET_FANOUT_FLAG_UNIQUEID << 16),
        };
        set(
            socket,
            (libc::SOL_PACKET, libc::PACKET_FANOUT),
            &(id | kind),
        )?;
        let mut joined = 0_u32;
        let mut len = size_of::<u32>() as libc::socklen_t;
        // SAFETY: `joined` has the four octets that `len` says, and outlives the call.
        let answer = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_FANOUT,
                (&raw mut joined).cast(),
                &raw mut len,
            )
        };
        if answer == 0 {
            // The lower half is the group's number.
            Ok(joined as u16)
        } else {
            Err(io::Error::last_os_error())
        }
    }

    pub(super) fn program(
        socket: &BorrowedFd<'_>,
        option: (c_int, c_int),
        program: &[Instruction],
    ) -> io::Result<()> {
        let mut code: Vec<libc::sock_filter> = program
            .iter()
            .map(|&Instruction { code, jt, jf, k }| libc::sock_filter { code, jt, jf, k })
            .collect();
        let Ok(len) = u16::try_from(code.len()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let program = libc::sock_fprog {
            len,
            filter: code.as_mut_ptr(),
        };
        // The kernel copies the code; `code` lives until this has returned.
        set(socket, option, &program)
    }

    fn set<T>(socket: &BorrowedFd<'_>, (level, name): (c_int, c_int), value: &T) -> io::Result<()> {
        // SAFETY: the kernel reads the octets of `value`, and the code of a program that it points at; both outlive the call.
        let answer = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                level,
                name,
                (&raw const *value).cast(),
                size_of::<T>() as libc::socklen_t,
            )
        };
        if answer == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use std::io;
    use std::os::fd::BorrowedFd;

    use super::Instruction;

    pub(super) const DEAL: (i32, i32) = (0, 0);
    pub(super) const FILTER: (i32, i32) = (0, 0);

    pub(super) fn join(_: &BorrowedFd<'_>, _: Option<u16>) -> io::Result<u16> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn program(_: &BorrowedFd<'_>, _: (i32, i32), _: &[Instruction]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
