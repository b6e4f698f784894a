//! The scheduler: what every device does next. It never waits and has no threads; whoever has the devices asks
//! for work and brings back what came of it.

mod fill;
mod land;
mod seat;

use crate::{
    bay::{Bay, Flight},
    device::Device,
    options::{Options, Role},
    policy::{self, Policy},
    request::{Answer, FinishReason, Refusal, Request, RequestId},
    status::{Seat, SlotRole, Status},
    task::Task,
    work::{Work, WorkChunk},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use terntable_golden::model::Config;
use tokio::sync::mpsc::unbounded_channel;

/// What a client is told to wait before anything is known, and at most.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// All requests and devices.
pub(crate) struct Scheduler {
    config: Config,
    options: Options,
    policy: Box<dyn Policy>,
    bays: Vec<Bay>,
    tasks: BTreeMap<RequestId, Task>,
    /// Those that are on no device, oldest first.
    waiting: BTreeSet<RequestId>,
    next: u64,
    closed: bool,
    swapped: usize,
    /// The counters; the rest is filled in when somebody looks.
    counts: Status,
}

impl Scheduler {
    pub fn new(devices: &[Box<dyn Device>], options: Options) -> Self {
        let config = devices[0].config().clone();
        let roles = options.roles.iter().copied().chain(std::iter::repeat(Role::Both));
        let bays =
            devices.iter().zip(roles).map(|(device, role)| Bay::new(&**device, role)).collect();
        Self {
            config,
            policy: policy::named(options.policy),
            bays,
            options,
            tasks: BTreeMap::new(),
            waiting: BTreeSet::new(),
            next: 0,
            closed: false,
            swapped: 0,
            counts: Status::default(),
        }
    }

    /// Takes a request into the queue.
    pub fn submit(&mut self, request: Request) -> Result<Answer, Refusal> {
        if self.closed {
            return Err(Refusal::Closed);
        }
        request.check(&self.config).map_err(Refusal::Invalid)?;
        self.check_memory(&request)?;
        if self.waiting.len() >= self.options.queue {
            self.counts.refused += 1;
            return Err(Refusal::Full { retry_after: self.retry_after() });
        }
        let id = RequestId(self.next);
        self.next += 1;
        let (sender, events) = unbounded_channel();
        let (task, nothing) = (Task::new(request, sender), FinishReason::Length);
        match task.left(self.config.context) {
            0 => {
                self.counts.finished += 1;
                task.finish(nothing);
            }
            _ => {
                self.tasks.insert(id, task);
                self.waiting.insert(id);
            }
        }
        Ok(Answer { id, events })
    }

    /// Refuses a request that no device has pages for, even alone.
    fn check_memory(&self, request: &Request) -> Result<(), Refusal> {
        let rows = self.rows(request);
        match self.bays.iter().filter(|bay| bay.up()).map(Bay::rows).max() {
            Some(room) if rows > room => Err(Refusal::Invalid(format!(
                "prompt and answer may have {rows} tokens; the devices have memory for K and V of {room}: \
                 ask for fewer tokens"
            ))),
            Some(_) => Ok(()),
            None => Err(Refusal::Closed),
        }
    }

    /// Positions that a request may need.
    fn rows(&self, request: &Request) -> usize {
        (request.prompt.len().saturating_add(request.max_tokens)).min(self.config.context)
    }

    /// When a place of the queue should be free.
    fn retry_after(&self) -> Duration {
        let oldest = self.tasks.values().next().map_or(0, |task| task.left(self.config.context));
        let pass = self.bays.iter().filter(|bay| bay.up()).map(Bay::last_pass).min();
        let wait = pass.unwrap_or_default() * oldest as u32;
        wait.clamp(RETRY[0], RETRY[1])
    }

    /// Passes of all devices.
    pub fn passes(&self) -> u64 {
        self.counts.passes
    }

    /// Passes of a device.
    pub fn device_passes(&self, device: usize) -> u64 {
        self.bays[device].passes
    }

    /// Takes no more requests.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Nothing is left to do.
    pub fn idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Ends every request.
    pub fn cancel_all(&mut self) {
        let all: Vec<RequestId> = self.tasks.keys().copied().collect();
        all.into_iter().for_each(|id| self.finish(id, FinishReason::Cancelled));
    }

    /// What a device is to do now; `None` if nothing, or if it is at work or down.
    pub fn plan(&mut self, device: usize) -> Option<Work> {
        if self.bays[device].busy_since.is_some() || !self.bays[device].up() {
            return None;
        }
        self.reap();
        self.hand_over(device);
        self.admit(device);
        let mut flights = self.fill(device);
        if self.options.drafts {
            self.draft(device, &mut flights);
        }
        if flights.is_empty() && self.bays[device].steps.is_empty() {
            return None;
        }
        let work = self.work(device, &flights);
        let seats = self.seats(&flights);
        self.count(device, &seats);
        self.bays[device].take_off(flights, seats);
        Some(work)
    }

    fn work(&mut self, device: usize, flights: &[Flight]) -> Work {
        let bay = &mut self.bays[device];
        let chunk = |flight: &Flight| {
            let first = bay.ledger.length(flight.sequence);
            let tokens =
                self.tasks.get(&flight.request).map_or(&[][..], |task| &task.tokens[first..]);
            let known = &tokens[..(flight.tokens - flight.drafts.len()).min(tokens.len())];
            let tokens = [known, &flight.drafts].concat();
            WorkChunk { sequence: flight.sequence, tokens, wanted: flight.wanted }
        };
        let chunks = flights.iter().map(chunk).collect();
        Work { steps: std::mem::take(&mut bay.steps), chunks }
    }

    fn seats(&self, flights: &[Flight]) -> Vec<Seat> {
        let mut seats = Vec::new();
        for flight in flights {
            let known = flight.tokens - flight.drafts.len();
            let decodes = self.tasks.get(&flight.request).is_some_and(|task| {
                task.usage.completion_tokens > 0 && known == 1 && flight.wanted > 0
            });
            let role = if decodes { SlotRole::Decode } else { SlotRole::Prompt };
            let roles = std::iter::repeat_n(role, known);
            let roles = roles.chain(std::iter::repeat_n(SlotRole::Draft, flight.drafts.len()));
            seats.extend(roles.map(|role| Seat { request: flight.request, role }));
        }
        seats
    }

    /// Counts a pass that is about to run.
    fn count(&mut self, device: usize, seats: &[Seat]) {
        if seats.is_empty() {
            return;
        }
        let slots = self.bays[device].limits.slots;
        let prompt = seats.iter().filter(|seat| seat.role == SlotRole::Prompt).count();
        self.counts.passes += 1;
        self.counts.slots += slots as u64;
        self.counts.prompt_tokens += prompt as u64;
        if !self.waiting.is_empty() {
            self.counts.bubbles += (slots - seats.len()) as u64;
        }
    }

    /// Devices whose work takes longer than it may.
    pub fn overdue(&self) -> Vec<usize> {
        let late =
            |bay: &Bay| bay.busy_since.is_some_and(|t| t.elapsed() > self.options.pass_limit);
        (0..self.bays.len()).filter(|&device| late(&self.bays[device])).collect()
    }

    /// Devices that are down and have not come back from their last work.
    pub fn stuck(&self) -> Vec<usize> {
        (0..self.bays.len()).filter(|&device| self.bays[device].lost).collect()
    }

    fn finish(&mut self, id: RequestId, reason: FinishReason) {
        self.waiting.remove(&id);
        let Some(mut task) = self.tasks.remove(&id) else { return };
        if let Some(snapshot) = task.snapshot.take() {
            self.swapped -= snapshot.bytes();
        }
        for bay in &mut self.bays {
            if let Some(sequence) = bay.running.remove(&id) {
                bay.retire(
                    sequence,
                    self.options.prefixes.then(|| std::mem::take(&mut task.tokens)),
                );
            }
        }
        match reason {
            FinishReason::End | FinishReason::Length => self.counts.finished += 1,
            FinishReason::Cancelled => self.counts.cancelled += 1,
            FinishReason::Failed(_) => self.counts.failed += 1,
        }
        task.finish(reason);
    }

    pub fn status(&self) -> Status {
        Status {
            devices: self.bays.iter().map(Bay::status).collect(),
            policy: self.options.policy.as_str().into(),
            queued: self.waiting.len(),
            running: self.tasks.len() - self.waiting.len(),
            swapped_bytes: self.swapped,
            ..self.counts.clone()
        }
    }
}
