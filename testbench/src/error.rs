//! What can go wrong between a test and the model, each with what was expected, found, and the
//! remedy.

use crate::card::PassFailure;
use std::path::PathBuf;
use terntable_driver::Status;

/// An error of the testbench.
#[derive(Clone, thiserror::Error)]
pub enum Error {
    /// A program that builds the simulator is not there.
    #[error("no {what}: looked in {looked}; {remedy}")]
    ToolMissing {
        /// The tool.
        what: &'static str,
        /// Where it was looked for.
        looked: String,
        /// What to do.
        remedy: &'static str,
    },

    /// A program that builds the simulator ran and failed.
    #[error("{what} failed ({status}) on {subject}; it said:\n{output}")]
    ToolFailed {
        /// The tool.
        what: &'static str,
        /// What it worked on.
        subject: String,
        /// Its exit status.
        status: String,
        /// The end of its output.
        output: String,
    },

    /// A file could not be read or written.
    #[error("could not {doing} {}: {reason}", path.display())]
    File {
        /// What was tried: "read", "create", ...
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },

    /// The sources do not hold the module that was asked for.
    #[error("no module `{module}`: expected a file {module}.sv under {searched}")]
    NoSource {
        /// The module.
        module: String,
        /// The folders searched.
        searched: String,
    },

    /// The header that Verilator wrote holds something this crate does not know.
    #[error("port `{port}` of {top}: {found}; expected a packed port")]
    Port {
        /// The top module.
        top: String,
        /// The port.
        port: String,
        /// What is odd about it.
        found: String,
    },

    /// The library of a model could not be loaded.
    #[error("could not load the simulator {}: {reason}; delete the folder to have it built again",
        path.display())]
    Load {
        /// The library.
        path: PathBuf,
        /// The loader's reason.
        reason: String,
    },

    /// A name that the model does not have.
    #[error("{top} has no {kind} `{name}`; it has: {available}")]
    NoName {
        /// The top module.
        top: String,
        /// "port" or "internal storage".
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        available: String,
    },

    /// A port or internal storage is used against its width or direction.
    #[error("`{name}`: expected {expected}, found {found}")]
    Use {
        /// The port.
        name: String,
        /// What the caller expected.
        expected: String,
        /// What the model has.
        found: String,
    },

    /// A bounded wait ran out.
    #[error("waited {cycles} cycles (until cycle {now}) for {what}, which did not come")]
    Timeout {
        /// What was waited for.
        what: String,
        /// For how many cycles.
        cycles: u64,
        /// The cycle at which the wait was given up.
        now: u64,
    },

    /// Nothing is left that could wake a task.
    #[error("the test waits, but no clock runs and no timer is set; create a Clock first")]
    NothingDue,

    /// A bus rule was broken by the design.
    #[error("{channel} at cycle {cycle}: {rule}; {found}")]
    Protocol {
        /// The channel.
        channel: String,
        /// The cycle.
        cycle: u64,
        /// The rule, as it should be.
        rule: String,
        /// What was seen.
        found: String,
    },

    /// A bus access was answered with an error.
    #[error("{access} {address:#x}: expected the response OKAY, found {response}")]
    BusResponse {
        /// "read" or "write".
        access: &'static str,
        /// The address.
        address: usize,
        /// The name of the response.
        response: &'static str,
    },

    /// The design stopped the simulation: an assertion, `$fatal`, `$stop` or `$finish`.
    #[error("the design stopped at {time_ps} ps: {text}")]
    Stopped {
        /// Simulation time.
        time_ps: u64,
        /// What it printed.
        text: String,
    },

    /// A job or a parameter that cannot be.
    #[error("{what}: expected {expected}, found {found}")]
    Invalid {
        /// What is wrong.
        what: String,
        /// The legal values.
        expected: String,
        /// The value.
        found: String,
    },

    /// The engine reports an error in its status register.
    #[error("{engine}: {status}")]
    Engine {
        /// The engine and its parameters.
        engine: String,
        /// The register.
        status: Status,
    },

    /// The card stopped a pass.
    #[error("the card stopped the pass: {failure}")]
    Pass {
        /// What its registers say.
        failure: PassFailure,
    },

    /// The engine or card is not the one that the parameters describe.
    #[error("{0}")]
    Identity(String),
}

/// As [`std::fmt::Display`], so that `unwrap` in a test shows the sentence.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Error {
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>, e: impl ToString) -> Self {
        Error::File { doing, path: path.into(), reason: e.to_string() }
    }
}
