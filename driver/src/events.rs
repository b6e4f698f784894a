//! Interrupts as event files.

use crate::Error;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

/// An event file for each vector of a card.
pub(crate) struct Events([OwnedFd; 2]);

/// What a wait ended with.
pub(crate) enum Woken {
    /// An interrupt.
    Interrupt,
    /// The time is over.
    Nothing,
    /// The other end of the connection is gone.
    HungUp,
}

impl Events {
    pub fn new() -> Result<Self, Error> {
        let event = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let events = event().and_then(|first| Ok(Self([first, event()?])));
        events.map_err(|e| Error::io("making event files (`ulimit -n` may be low)")(e.into()))
    }

    /// The files, one a vector.
    pub fn files(&self) -> [BorrowedFd<'_>; 2] {
        self.0.each_ref().map(AsFd::as_fd)
    }

    /// Waits for a vector, or for the end of a connection.
    pub fn wait(
        &self,
        at_most: Duration,
        connection: Option<BorrowedFd<'_>>,
    ) -> Result<Woken, Error> {
        if at_most.is_zero() {
            std::thread::yield_now();
        }
        let mut files: Vec<PollFd<'_>> =
            self.0.iter().map(|event| PollFd::new(event, PollFlags::IN)).collect();
        files.extend(connection.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::empty())));
        match poll(&mut files, at_most.try_into().ok().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Error::io("waiting for an interrupt")(io::Error::from(e))),
        }
        if files.get(2).is_some_and(|file| !file.revents().is_empty()) {
            return Ok(Woken::HungUp);
        }
        let raised = [0, 1].map(|i| files[i].revents().contains(PollFlags::IN));
        for (event, _) in self.0.iter().zip(raised).filter(|(_, raised)| *raised) {
            // The count does not matter: the ring says what is complete.
            let _ = rustix::io::read(event, &mut [0_u8; 8]);
        }
        Ok(if raised.contains(&true) { Woken::Interrupt } else { Woken::Nothing })
    }
}
