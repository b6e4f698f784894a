//! What the scheduler is doing, to be looked at from outside.

use crate::{device::Tier, options::Role, request::RequestId};
use serde::Serialize;

/// A look at everything. Counters count from the start of the service.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Status {
    /// The devices.
    pub devices: Vec<DeviceStatus>,
    /// Policy that fills passes.
    pub policy: String,
    /// Requests that wait for a place.
    pub queued: usize,
    /// Requests in work.
    pub running: usize,
    /// Passes of all devices.
    pub passes: u64,
    /// Tokens of prompts that went through a device.
    pub prompt_tokens: u64,
    /// Tokens made.
    pub completion_tokens: u64,
    /// Requests that ended by themselves.
    pub finished: u64,
    /// Requests that were cancelled.
    pub cancelled: u64,
    /// Requests that no device could finish.
    pub failed: u64,
    /// Requests that were refused for want of a place.
    pub refused: u64,
    /// Requests that found a prefix.
    pub prefix_hits: u64,
    /// Tokens that they found.
    pub prefix_tokens: u64,
    /// Draft tokens that were verified.
    pub drafts_proposed: u64,
    /// Of those, right.
    pub drafts_accepted: u64,
    /// Requests that went on elsewhere after their device failed.
    pub failovers: u64,
    /// Requests that gave their pages to older ones and wait to go on.
    pub preemptions: u64,
    /// Sequences handed from one device to another, K and V checked.
    pub handovers: u64,
    /// Bytes of K and V in the host's memory, on their way.
    pub swapped_bytes: usize,
    /// Copies of K and V that arrived damaged; they were computed again.
    pub damaged: u64,
    /// Slots of passes that stayed empty while requests waited.
    pub bubbles: u64,
    /// Slots of all passes.
    pub slots: u64,
}

/// A look at a device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceStatus {
    /// Its name.
    pub name: String,
    /// Whether it runs passes.
    pub up: bool,
    /// Why not.
    pub error: Option<String>,
    /// What it is used for.
    pub role: Role,
    /// How its times were found.
    pub tier: Tier,
    /// Slots of a pass.
    pub slots: usize,
    /// Who sat where in the last pass.
    pub seats: Vec<Seat>,
    /// Passes.
    pub passes: u64,
    /// Seconds that the last pass took, on the device's clock.
    pub last_pass_s: f64,
    /// Seconds in passes.
    pub busy_s: f64,
    /// KV pages.
    pub pages: Pages,
}

/// A slot of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Seat {
    /// Whose token.
    pub request: RequestId,
    /// What it is.
    pub role: SlotRole,
}

/// What a slot carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SlotRole {
    /// The last token of an answer.
    Decode,
    /// A token of a prompt.
    Prompt,
    /// A draft to be verified.
    Draft,
}

/// KV pages of a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pages {
    /// Held by requests or by the prefix cache.
    pub used: usize,
    /// Of those, held by the prefix cache alone.
    pub cached: usize,
    /// All.
    pub budget: usize,
    /// Positions of a page.
    pub rows: usize,
}
