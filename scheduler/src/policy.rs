//! Who gets which slots of the next pass.

use crate::{options::PolicyName, request::RequestId};

/// A request in work on a device that wants slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// The request; a lower number came earlier.
    pub request: RequestId,
    /// Tokens that its sequence lacks.
    pub rest: usize,
    /// It makes its answer: the one token that it lacks is the last one made.
    pub decode: bool,
    /// The pass of the device that served it last.
    pub served: u64,
}

/// Slots for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The request.
    pub request: RequestId,
    /// Tokens of it.
    pub tokens: usize,
}

/// Fills passes.
pub trait Policy: Send {
    /// Most requests in work on a device that could take `most`.
    fn running(&self, most: usize) -> usize;

    /// Shares of a pass of `slots` slots, of which prompts should have at most `chunk` while answers are made;
    /// wants come by age.
    fn fill(&self, wants: &[Want], slots: usize, chunk: usize) -> Vec<Share>;
}

/// The policy of that name.
pub fn named(name: PolicyName) -> Box<dyn Policy> {
    match name {
        PolicyName::Fcfs => Box::new(Fcfs),
        PolicyName::Chunked => Box::new(Chunked),
        PolicyName::PrefillFirst => Box::new(PrefillFirst),
    }
}

/// One request after the other, alone on the device.
struct Fcfs;

impl Policy for Fcfs {
    fn running(&self, _most: usize) -> usize {
        1
    }

    fn fill(&self, wants: &[Want], slots: usize, _chunk: usize) -> Vec<Share> {
        let mut pass = Filling::new(slots);
        pass.serve(wants.first(), slots);
        pass.shares
    }
}

/// Answers first, but a part of the slots is kept for prompts, which come in chunks (SARATHI: Agrawal et al.,
/// 2023). Of answers, those that waited longest come first.
struct Chunked;

/// Slots that prompts get at least: a quarter.
pub fn prompt_slots(slots: usize) -> usize {
    (slots / 4).max(1)
}

impl Policy for Chunked {
    fn running(&self, most: usize) -> usize {
        most
    }

    fn fill(&self, wants: &[Want], slots: usize, chunk: usize) -> Vec<Share> {
        let (decodes, prompts) = parted(wants);
        let chunk = if decodes.is_empty() { slots } else { chunk.max(1) };
        let asked: usize = prompts.iter().map(|want| want.rest).sum();
        let kept = asked.min(prompt_slots(slots)).min(chunk);
        let mut pass = Filling::new(slots);
        if kept == slots && oldest_served(&decodes) < oldest_served(&prompts) {
            pass.serve(decodes.first().copied(), 1);
        }
        pass.serve(decodes.iter().copied(), slots - kept);
        pass.serve(prompts, chunk);
        pass.serve(decodes, slots);
        pass.shares
    }
}

/// Prompts first; answers get what is left.
struct PrefillFirst;

impl Policy for PrefillFirst {
    fn running(&self, most: usize) -> usize {
        most
    }

    fn fill(&self, wants: &[Want], slots: usize, _chunk: usize) -> Vec<Share> {
        let (decodes, prompts) = parted(wants);
        let mut pass = Filling::new(slots);
        pass.serve(prompts, slots);
        pass.serve(decodes, slots);
        pass.shares
    }
}

/// Answers, longest unserved first, and prompts, oldest first.
fn parted(wants: &[Want]) -> (Vec<&Want>, Vec<&Want>) {
    let (mut decodes, prompts): (Vec<&Want>, Vec<&Want>) = wants.iter().partition(|w| w.decode);
    decodes.sort_by_key(|want| (want.served, want.request));
    (decodes, prompts)
}

fn oldest_served(wants: &[&Want]) -> u64 {
    wants.iter().map(|want| want.served).min().unwrap_or(u64::MAX)
}

/// A pass that is being filled.
struct Filling {
    left: usize,
    shares: Vec<Share>,
}

impl Filling {
    fn new(slots: usize) -> Self {
        Self { left: slots, shares: Vec::new() }
    }

    /// Gives each what it wants, as long as slots are left, and at most `most` together. Who has a share gets
    /// no other.
    fn serve<'a>(&mut self, wants: impl IntoIterator<Item = &'a Want>, most: usize) {
        let mut most = most.min(self.left);
        for want in wants {
            let tokens = want.rest.min(most);
            if tokens > 0 && self.shares.iter().all(|share| share.request != want.request) {
                self.shares.push(Share { request: want.request, tokens });
                self.left -= tokens;
                most -= tokens;
            }
        }
    }
}
