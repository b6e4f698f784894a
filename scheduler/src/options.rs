//! How a service is set up.

use serde::Serialize;
use std::time::Duration;

/// What fills passes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyName {
    /// One request after the other.
    Fcfs,
    /// Prompts in chunks beside running answers (SARATHI).
    #[default]
    Chunked,
    /// Prompts before answers.
    PrefillFirst,
}

impl PolicyName {
    /// The name on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            PolicyName::Fcfs => "fcfs",
            PolicyName::Chunked => "chunked",
            PolicyName::PrefillFirst => "prefill-first",
        }
    }
}

/// What a device is used for (Splitwise).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Prompts and answers.
    #[default]
    Both,
    /// Prompts; K and V then go to a device that makes answers.
    Prefill,
    /// Answers.
    Decode,
}

/// Options of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What fills passes.
    pub policy: PolicyName,
    /// Most requests that wait; more are refused.
    pub queue: usize,
    /// Most requests in work on a device; 0 for as many as it has slots.
    pub running: usize,
    /// Most slots of a pass for prompts while answers are made; 0 for what the device's pace allows.
    pub chunk: usize,
    /// Whether drafts are looked up and verified.
    pub drafts: bool,
    /// Whether finished sequences are kept for requests with the same beginning.
    pub prefixes: bool,
    /// Most bytes of K and V in the host's memory, of preempted requests and of those that go from one device to
    /// another. What does not fit is computed again, or stays.
    pub swap_bytes: usize,
    /// What each device is used for; `Both` for those not named.
    pub roles: Vec<Role>,
    /// A device whose pass takes longer counts as failed.
    pub pass_limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            policy: PolicyName::default(),
            queue: 256,
            running: 0,
            chunk: 0,
            drafts: true,
            prefixes: true,
            swap_bytes: 1 << 30,
            roles: Vec::new(),
            pass_limit: Duration::from_secs(120),
        }
    }
}
