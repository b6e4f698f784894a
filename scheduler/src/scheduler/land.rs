//! What came of a pass, or of a device.

use super::Scheduler;
use crate::{
    bay::{Bay, Flight},
    device::DeviceError,
    request::{FinishReason, RequestId},
    task::Task,
    work::Done,
};
use terntable_golden::head::Candidate;

impl Scheduler {
    /// Takes what came of a device's work.
    pub fn complete(&mut self, device: usize, done: Result<Done, DeviceError>) {
        self.bays[device].lost = false;
        if !self.bays[device].up() {
            return;
        }
        match done {
            Ok(done) => self.land(device, done),
            Err(DeviceError(error)) => self.fail(device, error),
        }
    }

    fn land(&mut self, device: usize, done: Done) {
        let leaving = std::mem::take(&mut self.bays[device].leaving);
        for ((id, bytes), snapshot) in leaving.into_iter().zip(done.exports) {
            match self.tasks.get_mut(&id) {
                Some(task) => {
                    task.snapshot = Some(snapshot);
                    self.waiting.insert(id);
                }
                None => self.swapped -= bytes,
            }
        }
        let (time, ranked) = match done.passed {
            Some(passed) => (Some(passed.time), passed.ranked),
            None => (None, Vec::new()),
        };
        let mut ranked = ranked.into_iter();
        for flight in self.bays[device].land(time) {
            let ranked: Vec<_> = ranked.by_ref().take(flight.wanted).collect();
            self.land_flight(device, &flight, &ranked);
        }
    }

    /// Draws the tokens of a request after a pass, and forgets drafts that were wrong.
    fn land_flight(&mut self, device: usize, flight: &Flight, ranked: &[Vec<Candidate>]) {
        let bay = &mut self.bays[device];
        let known = bay.ledger.length(flight.sequence) + flight.tokens - flight.drafts.len();
        bay.ledger.commit(flight.sequence, flight.tokens);
        let Some(task) = self.tasks.get_mut(&flight.request) else { return };
        task.served = bay.passes;
        let before = task.usage.completion_tokens;
        let (mut end, mut right) = (None, 0);
        for ranked in ranked {
            end = task.draw(ranked, self.config.context);
            // The next candidates follow a draft; they count if it was right.
            let drafted = flight.drafts.get(right) == task.tokens.last();
            if end == Some(FinishReason::End) || !drafted {
                break;
            }
            right += 1;
            if end.is_some() {
                break;
            }
        }
        if let Some(share) = flight.share {
            task.drafter.learn(right, share);
        }
        self.counts.drafts_accepted += right as u64;
        self.counts.completion_tokens += (task.usage.completion_tokens - before) as u64;
        bay.truncate(flight.sequence, known + right);
        if let Some(reason) = end {
            self.finish(flight.request, reason);
        }
    }

    /// A device is down: its requests go on elsewhere, from their tokens.
    pub fn fail(&mut self, device: usize, error: String) {
        let (lost, bytes) = self.bays[device].fail(error, self.config.context);
        self.swapped -= bytes;
        let lost: Vec<_> = lost.into_iter().filter(|id| self.tasks.contains_key(id)).collect();
        self.counts.failovers += lost.len() as u64;
        self.waiting.extend(lost);
        self.fail_homeless();
    }

    /// Ends requests that no device is left for.
    fn fail_homeless(&mut self) {
        let room = self.bays.iter().filter(|bay| bay.up()).map(Bay::rows).max().unwrap_or(0);
        let homeless =
            |(id, task): (&RequestId, &Task)| (self.rows(&task.request) > room).then_some(*id);
        let homeless: Vec<RequestId> = self.tasks.iter().filter_map(homeless).collect();
        let error = |bay: &Bay| Some(format!("{}: {}", bay.name, bay.error.as_ref()?));
        let errors: Vec<String> = self.bays.iter().filter_map(error).collect();
        let why = format!("no device is left for it; restart the service ({})", errors.join("; "));
        for id in homeless {
            self.finish(id, FinishReason::Failed(why.clone()));
        }
    }
}
