//! Which requests sit on which device, and where their keys and values come from.

use super::Scheduler;
use crate::{
    bay::Bay,
    device::SequenceId,
    options::Role,
    request::{FinishReason, RequestId},
    snapshot::bytes_of,
    task::Task,
    work::Step,
};

/// A shorter common beginning is not worth a fork.
const LEAST_PREFIX: usize = 8;

impl Scheduler {
    /// Ends requests that nobody listens to.
    pub fn reap(&mut self) {
        let abandoned = |(id, task): (&RequestId, &Task)| task.abandoned().then_some(*id);
        let gone: Vec<RequestId> = self.tasks.iter().filter_map(abandoned).collect();
        for id in gone {
            let flies = self.bays.iter().any(|bay| {
                bay.leaving.iter().any(|(leaving, _)| *leaving == id)
                    || bay.flights.iter().any(|flight| flight.request == id)
            });
            if !flies {
                self.finish(id, FinishReason::Cancelled);
            }
        }
    }

    /// Sends answers that have begun on a device for prompts to one for answers.
    pub(super) fn hand_over(&mut self, device: usize) {
        let room =
            self.bays.iter().filter(|bay| bay.up() && bay.role == Role::Decode).map(Bay::rows);
        let (bay, room) = (&self.bays[device], room.max().unwrap_or(0));
        if bay.role != Role::Prefill {
            return;
        }
        let begun = |(id, sequence): (&RequestId, &SequenceId)| {
            let task = self.tasks.get(id)?;
            let begun =
                task.decodes(bay.ledger.length(*sequence)) && self.rows(&task.request) <= room;
            begun.then_some(*id)
        };
        for id in bay.running.iter().filter_map(begun).collect::<Vec<_>>() {
            if self.export(device, id, true) {
                self.counts.handovers += 1;
            }
        }
    }

    /// Takes a request off a device, with its keys and values, if the host's memory has room for them.
    pub(super) fn export(&mut self, device: usize, id: RequestId, keep: bool) -> bool {
        let bay = &mut self.bays[device];
        let Some(&sequence) = bay.running.get(&id) else { return false };
        let bytes = bytes_of(&self.config, bay.ledger.length(sequence));
        if self.swapped + bytes > self.options.swap_bytes {
            return false;
        }
        self.swapped += bytes;
        bay.running.remove(&id);
        bay.steps.push(Step::Export(sequence));
        bay.leaving.push((id, bytes));
        let tokens = self.tasks.get(&id).map(|task| task.tokens.clone());
        bay.retire(sequence, tokens.filter(|_| keep && self.options.prefixes));
        true
    }

    /// Gives waiting requests a place, oldest first.
    pub(super) fn admit(&mut self, device: usize) {
        loop {
            let suits = |id: &RequestId| self.suits(device, *id);
            let Some(id) = self.waiting.iter().copied().find(suits) else { break };
            let here = &self.bays[device];
            let better = |bay: &Bay| {
                bay.up()
                    && bay.busy_since.is_none()
                    && bay.role == here.role
                    && bay.running.len() < here.running.len()
                    && self.has_place(bay, id)
            };
            if !self.has_place(here, id) || self.bays.iter().any(better) || !self.seat(device, id) {
                break;
            }
        }
    }

    /// Whether a device has a place and pages for what a request has to feed. An empty one has.
    fn has_place(&self, bay: &Bay, id: RequestId) -> bool {
        let Some(task) = self.tasks.get(&id).filter(|task| bay.rows() >= self.rows(&task.request))
        else {
            return false;
        };
        let asked = if self.options.running == 0 { bay.limits.slots } else { self.options.running };
        let most = self.policy.running(asked.min(bay.limits.sequences));
        let needed = bay.ledger.pages_of((task.tokens.len() + 1).min(self.config.context));
        bay.running.is_empty() || bay.running.len() < most && needed <= bay.pages_for_requests()
    }

    /// Whether a request may go on on a device: its role is right, or no device with the right one is left.
    fn suits(&self, device: usize, id: RequestId) -> bool {
        let Some(task) = self.tasks.get(&id) else { return false };
        let right = if task.snapshot.is_some() { Role::Decode } else { Role::Prefill };
        let fits = |bay: &Bay| bay.up() && bay.rows() >= self.rows(&task.request);
        let suits = |bay: &Bay| fits(bay) && (bay.role == right || bay.role == Role::Both);
        let here = &self.bays[device];
        suits(here) || fits(here) && !self.bays.iter().any(suits)
    }

    /// Gives a request a place.
    fn seat(&mut self, device: usize, id: RequestId) -> bool {
        let Some(sequence) = self.sequence(device, id) else { return false };
        let bay = &mut self.bays[device];
        bay.running.insert(id, sequence);
        self.waiting.remove(&id);
        let (found, passes) = (bay.ledger.length(sequence), bay.passes);
        if let Some(task) = self.tasks.get_mut(&id) {
            task.served = passes;
            if !task.seated && found > 0 {
                task.usage.cached_tokens = found;
                self.counts.prefix_hits += 1;
                self.counts.prefix_tokens += found as u64;
            }
            task.seated = true;
        }
        true
    }

    /// A sequence for a request: from its own copy, from the prefix of another, or empty.
    fn sequence(&mut self, device: usize, id: RequestId) -> Option<SequenceId> {
        let task = self.tasks.get_mut(&id)?;
        if let Some(snapshot) = task.snapshot.take() {
            self.swapped -= snapshot.bytes();
            if snapshot.check(&self.config).is_ok() {
                match self.bays[device].import(snapshot) {
                    Ok(sequence) => return Some(sequence),
                    Err(snapshot) => {
                        self.swapped += snapshot.bytes();
                        task.snapshot = Some(snapshot);
                        return None;
                    }
                }
            }
            self.counts.damaged += 1;
        }
        let tokens = self.tasks.get(&id)?.tokens.clone();
        let bay = &mut self.bays[device];
        let running: Vec<_> = bay
            .running
            .iter()
            .filter_map(|(id, sequence)| Some((*sequence, &self.tasks.get(id)?.tokens[..])))
            .collect();
        let least = if self.options.prefixes { LEAST_PREFIX } else { usize::MAX };
        bay.begin(&tokens, &running, least)
    }
}
