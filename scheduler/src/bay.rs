//! A device's place in the scheduler: who sits on it, what it holds, what it must do next.

use crate::{
    device::{Device, Limits, SequenceId, Tier},
    ledger::Ledger,
    options::Role,
    pace::Pace,
    request::RequestId,
    snapshot::Snapshot,
    status::{DeviceStatus, Pages, Seat},
    work::Step,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// A sequence of a request that ended, kept for others with the same beginning.
#[derive(Debug)]
struct Kept {
    sequence: SequenceId,
    tokens: Vec<u32>,
    /// When it was kept, counted in kept sequences: the lowest goes first.
    at: u64,
}

/// A chunk on its way through the device.
#[derive(Debug)]
pub(crate) struct Flight {
    pub request: RequestId,
    pub sequence: SequenceId,
    /// Tokens fed.
    pub tokens: usize,
    /// The drafts among them, at the end.
    pub drafts: Vec<u32>,
    /// Its share of the pass, in seconds, if drafts were thought of.
    pub share: Option<f64>,
    /// Candidates come after so many of them.
    pub wanted: usize,
}

/// The scheduler's side of a device.
#[derive(Debug)]
pub(crate) struct Bay {
    pub name: String,
    pub limits: Limits,
    pub role: Role,
    pub ledger: Ledger,
    /// Requests in work, by age, and their sequences.
    pub running: BTreeMap<RequestId, SequenceId>,
    /// Requests whose keys and values are being exported, in order, and the bytes that they take.
    pub leaving: Vec<(RequestId, usize)>,
    /// What the device must do before the next pass.
    pub steps: Vec<Step>,
    /// The pass that it runs.
    pub flights: Vec<Flight>,
    /// When it was given work, if it has some.
    pub busy_since: Option<Instant>,
    /// What its passes take.
    pub pace: Pace,
    /// Why it is down.
    pub error: Option<String>,
    /// It was given up while it was at work.
    pub lost: bool,
    pub passes: u64,
    tier: Tier,
    kept: Vec<Kept>,
    keepings: u64,
    seats: Vec<Seat>,
    last_pass: Duration,
    busy: Duration,
}

impl Bay {
    pub fn new(device: &dyn Device, role: Role) -> Self {
        let limits = device.limits();
        Self {
            name: device.name().into(),
            limits,
            role,
            ledger: Ledger::new(limits, device.config().context),
            running: BTreeMap::new(),
            leaving: Vec::new(),
            steps: Vec::new(),
            flights: Vec::new(),
            busy_since: None,
            pace: Pace::new(device.cost()),
            error: None,
            lost: false,
            passes: 0,
            tier: device.tier(),
            kept: Vec::new(),
            keepings: 0,
            seats: Vec::new(),
            last_pass: Duration::ZERO,
            busy: Duration::ZERO,
        }
    }

    /// Positions that fit together.
    pub fn rows(&self) -> usize {
        self.limits.pages * self.limits.page_rows
    }

    /// What the last pass took.
    pub fn last_pass(&self) -> Duration {
        self.last_pass
    }

    pub fn up(&self) -> bool {
        self.error.is_none()
    }

    /// Everything that it held is gone; returns the requests that it worked on, and the bytes of those that were
    /// being exported.
    pub fn fail(&mut self, error: String, context: usize) -> (Vec<RequestId>, usize) {
        self.error = Some(error);
        self.lost = self.busy_since.is_some();
        self.ledger = Ledger::new(self.limits, context);
        self.kept.clear();
        self.steps.clear();
        self.flights.clear();
        self.seats.clear();
        self.busy_since = None;
        let leaving = std::mem::take(&mut self.leaving);
        let running = std::mem::take(&mut self.running).into_keys();
        let bytes = leaving.iter().map(|(_, bytes)| bytes).sum();
        (running.chain(leaving.into_iter().map(|(id, _)| id)).collect(), bytes)
    }

    /// The sequence is not needed any more; with its tokens it is kept as a prefix for others.
    pub fn retire(&mut self, sequence: SequenceId, tokens: Option<Vec<u32>>) {
        match tokens {
            Some(mut tokens) => {
                tokens.truncate(self.ledger.length(sequence));
                self.keepings += 1;
                self.kept.push(Kept { sequence, tokens, at: self.keepings });
            }
            None => self.end(sequence),
        }
    }

    fn end(&mut self, sequence: SequenceId) {
        self.ledger.end(sequence);
        self.steps.push(Step::End(sequence));
    }

    /// Ends the kept sequence that was kept first; says whether there was one.
    pub fn evict(&mut self) -> bool {
        let Some(oldest) = (0..self.kept.len()).min_by_key(|&i| self.kept[i].at) else {
            return false;
        };
        let kept = self.kept.swap_remove(oldest);
        self.end(kept.sequence);
        true
    }

    /// Pages that are free or would be if nothing were kept.
    pub fn pages_for_requests(&self) -> usize {
        self.limits.pages - self.ledger.held(self.running.values().copied())
    }

    /// A sequence for these tokens that has as many of the first ones as any other sequence here; never all.
    /// `None` if there is no room.
    ///
    /// All sequences are looked at, those in work too: they are few, and most differ in their first tokens.
    pub fn begin(
        &mut self,
        tokens: &[u32],
        running: &[(SequenceId, &[u32])],
        least: usize,
    ) -> Option<SequenceId> {
        let most = tokens.len() - 1;
        let kept = self.kept.iter().map(|kept| (kept.sequence, &kept.tokens[..]));
        let shared = kept.chain(running.iter().copied()).map(|(sequence, held)| {
            let held = &held[..held.len().min(self.ledger.length(sequence))];
            (common(held, &tokens[..most]), sequence)
        });
        let best = shared.max_by_key(|(length, _)| *length).filter(|(length, _)| *length >= least);
        let Some((length, from)) = best else { return self.empty() };
        let kept = |kept: &Kept| kept.sequence == from;
        if let Some(at) = self.kept.iter().position(kept) {
            // One that is a prefix as it is needs no copy.
            if self.kept[at].tokens.len() == length {
                return Some(self.kept.swap_remove(at).sequence);
            }
            self.keepings += 1;
            self.kept[at].at = self.keepings;
        }
        match self.ledger.fork(from, length) {
            Some(to) => {
                self.steps.push(Step::Fork { from, to, length });
                Some(to)
            }
            // Rather without the prefix than without the place.
            None => self.empty(),
        }
    }

    fn empty(&mut self) -> Option<SequenceId> {
        let id = self.with_evictions(Ledger::begin)?;
        self.steps.push(Step::Begin(id));
        Some(id)
    }

    /// A sequence of a snapshot; `None` if there is no room.
    pub fn import(&mut self, snapshot: Snapshot) -> Result<SequenceId, Snapshot> {
        let length = snapshot.length();
        let Some(id) = self.with_evictions(|ledger| ledger.filled(length)) else {
            return Err(snapshot);
        };
        self.steps.push(Step::Import(id, snapshot));
        Ok(id)
    }

    /// Room for the next rows of a sequence, if kept sequences leave it.
    pub fn reserve(&mut self, id: SequenceId, rows: usize) -> bool {
        self.with_evictions(|ledger| ledger.reserve(id, rows).then_some(())).is_some()
    }

    /// Tries, and ends kept sequences until it works or none is left.
    fn with_evictions<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Ledger) -> Option<T>,
    ) -> Option<T> {
        loop {
            if let Some(done) = attempt(&mut self.ledger) {
                return Some(done);
            }
            if !self.evict() {
                return None;
            }
        }
    }

    /// Forgets what a sequence has from `length` on.
    pub fn truncate(&mut self, id: SequenceId, length: usize) {
        if self.ledger.length(id) > length {
            self.ledger.rewind(id, length);
            self.steps.push(Step::Truncate(id, length));
        }
    }

    /// Notes a pass that was given to the device.
    pub fn take_off(&mut self, flights: Vec<Flight>, seats: Vec<Seat>) {
        self.busy_since = Some(Instant::now());
        self.flights = flights;
        if !seats.is_empty() {
            self.seats = seats;
        }
    }

    /// Notes a pass that came back.
    pub fn land(&mut self, time: Option<Duration>) -> Vec<Flight> {
        self.busy_since = None;
        if let Some(time) = time {
            self.pace.learn(self.flights.iter().map(|flight| flight.tokens).sum(), time);
            self.passes += 1;
            self.last_pass = time;
            self.busy += time;
        }
        std::mem::take(&mut self.flights)
    }

    pub fn status(&self) -> DeviceStatus {
        let used = self.limits.pages - self.ledger.free();
        let working = self.ledger.held(self.running.values().copied());
        DeviceStatus {
            name: self.name.clone(),
            up: self.up(),
            error: self.error.clone(),
            role: self.role,
            tier: self.tier,
            slots: self.limits.slots,
            seats: self.seats.clone(),
            passes: self.passes,
            last_pass_s: self.last_pass.as_secs_f64(),
            busy_s: self.busy.as_secs_f64(),
            pages: Pages {
                used,
                cached: used.saturating_sub(working),
                budget: self.limits.pages,
                rows: self.limits.page_rows,
            },
        }
    }
}

/// Tokens that two lists begin with together.
fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
