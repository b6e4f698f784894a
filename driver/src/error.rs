//! What can go wrong between a driver and its card.

use crate::entry::status_text;
use std::{io, time::Duration};
use thiserror::Error as ThisError;

/// An error of a card, its transport or its bus.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Nothing answers any more.
    #[error(
        "{at}: the link to the card is lost ({found}); check that it has power and its server runs, \
         then start again"
    )]
    Lost {
        /// Where the card was.
        at: String,
        /// What showed it.
        found: String,
    },
    /// Something else answers.
    #[error("{at}: {what} is {found}; expected {expected}: {remedy}")]
    Identity {
        /// Where.
        at: String,
        /// Which register.
        what: &'static str,
        /// Its value.
        found: String,
        /// What it should be.
        expected: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A wait that ended without what it waited for.
    #[error(
        "{at}: waited {after:?} for {what}; reset the card, and if that does not help, its slot"
    )]
    Timeout {
        /// Where.
        at: String,
        /// What for.
        what: String,
        /// How long.
        after: Duration,
    },
    /// Somebody else reset the function.
    #[error("{at}: the card was reset while it worked; nobody else may use it")]
    Reset {
        /// Where.
        at: String,
    },
    /// The queue stopped.
    #[error("{at}: {what} ended with {}", status_text(*status))]
    Entry {
        /// Where.
        at: String,
        /// What the entry did.
        what: String,
        /// The status.
        status: u8,
    },
    /// A pass that the card stopped.
    #[error("{at}: the card stopped the pass at command {command}: {}", pass_text(*code))]
    Pass {
        /// Where.
        at: String,
        /// The card's error code.
        code: u8,
        /// The index of the command.
        command: u32,
    },
    /// Something that this card or transport cannot do.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// What makes an error of the system one of this crate.
    pub fn io(what: impl Into<String>) -> impl Fn(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what: what.clone(), source }
    }
}

fn pass_text(code: u8) -> String {
    let known = terntable_golden::card::machine::ErrorCode::of(code);
    known.map_or_else(|| format!("error {code:#04x}"), |code| code.text().to_owned())
}
