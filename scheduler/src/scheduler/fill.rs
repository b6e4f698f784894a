//! What goes into the next pass of a device, and room for it.

use super::Scheduler;
use crate::{
    bay::{Bay, Flight},
    cost::Run,
    policy::{Share, Want, prompt_slots},
    request::RequestId,
};

impl Scheduler {
    /// Shares of the next pass, each with room for its rows.
    pub(super) fn fill(&mut self, device: usize) -> Vec<Flight> {
        let wants = self.wants(device);
        let bay = &self.bays[device];
        let slots = bay.limits.slots;
        let shares = self.policy.fill(&wants, slots, self.chunk(bay, &wants));
        let mut flights = self.seated(device, &wants, &shares);
        if let (true, Some(oldest)) = (flights.is_empty(), wants.first()) {
            // Those that were chosen must wait for pages; the oldest never has to.
            let tokens = oldest.rest.min(slots);
            flights = self.seated(device, &wants, &[Share { request: oldest.request, tokens }]);
        }
        flights
    }

    /// The shares for which there is room.
    fn seated(&mut self, device: usize, wants: &[Want], shares: &[Share]) -> Vec<Flight> {
        let mut flights = Vec::with_capacity(shares.len());
        for &Share { request, tokens } in shares {
            if !self.make_room(device, request, tokens) {
                continue;
            }
            let Some(&sequence) = self.bays[device].running.get(&request) else { continue };
            let whole = wants.iter().any(|want| want.request == request && want.rest == tokens);
            let (drafts, wanted) = (Vec::new(), usize::from(whole));
            flights.push(Flight { request, sequence, tokens, drafts, share: None, wanted });
        }
        // Some may have given way to older ones after them.
        flights.retain(|flight| self.bays[device].running.contains_key(&flight.request));
        flights
    }

    fn wants(&self, device: usize) -> Vec<Want> {
        let bay = &self.bays[device];
        let want = |(id, sequence): (&RequestId, &_)| {
            let (task, length) = (self.tasks.get(id)?, bay.ledger.length(*sequence));
            let (rest, decode) = (task.tokens.len() - length, task.decodes(length));
            Some(Want { request: *id, rest, decode, served: task.served })
        };
        bay.running.iter().filter_map(want).collect()
    }

    /// Slots for prompts beside answers.
    fn chunk(&self, bay: &Bay, wants: &[Want]) -> usize {
        if self.options.chunk > 0 {
            return self.options.chunk;
        }
        let rows = |want: &Want| {
            let sequence = bay.running.get(&want.request);
            sequence.map_or(0, |sequence| bay.ledger.length(*sequence))
        };
        let answer = |want: &Want| Run { slots: 1, rows: rows(want) + 1, wanted: 1 };
        let (answers, prompts): (Vec<&Want>, Vec<&Want>) = wants.iter().partition(|w| w.decode);
        let slots = bay.limits.slots;
        let most = slots - prompt_slots(slots);
        let answers: Vec<Run> = answers.into_iter().map(answer).take(most).collect();
        bay.pace.chunk(&answers, prompts.first().map_or(0, |want| rows(want)), slots)
    }

    /// Fills slots that nobody else wants with drafts.
    pub(super) fn draft(&mut self, device: usize, flights: &mut [Flight]) {
        let bay = &mut self.bays[device];
        let mut runs: Vec<Run> = flights
            .iter()
            .map(|flight| Run {
                slots: flight.tokens,
                rows: bay.ledger.length(flight.sequence) + flight.tokens,
                wanted: flight.wanted,
            })
            .collect();
        let answers = runs.iter().filter(|run| run.wanted > 0).count();
        let mut left = bay.limits.slots - runs.iter().map(|run| run.slots).sum::<usize>();
        for (i, flight) in flights.iter_mut().enumerate() {
            let Some(task) = self.tasks.get_mut(&flight.request) else { continue };
            let decodes = task.decodes(bay.ledger.length(flight.sequence));
            let Some(without) = bay.pace.seconds(&runs).filter(|_| decodes) else { continue };
            let with = |count: usize| {
                let Run { slots, rows, wanted } = runs[i];
                Run { slots: slots + count, rows: rows + count, wanted: wanted + count }
            };
            let cost = |count| {
                let runs: Vec<Run> = [&runs[..i], &[with(count)], &runs[i + 1..]].concat();
                bay.pace.seconds(&runs).map_or(0.0, |seconds| (seconds - without).max(0.0))
            };
            let share = without / answers as f64;
            flight.share = Some(share);
            let most = left.min(task.left(self.config.context) - 1);
            let drafts = task.drafter.draft(&task.tokens, most, share, cost);
            // Nobody else gives way to drafts.
            if !bay.ledger.reserve(flight.sequence, 1 + drafts.len()) {
                task.drafter.withdraw();
                continue;
            }
            left -= drafts.len();
            runs[i] = with(drafts.len());
            flight.tokens += drafts.len();
            flight.wanted += drafts.len();
            self.counts.drafts_proposed += drafts.len() as u64;
            flight.drafts = drafts;
        }
    }

    /// Room for the next rows of a request; younger requests give way.
    fn make_room(&mut self, device: usize, id: RequestId, rows: usize) -> bool {
        loop {
            let bay = &mut self.bays[device];
            let Some(&sequence) = bay.running.get(&id) else { return false };
            if bay.reserve(sequence, rows) {
                return true;
            }
            match bay.running.last_key_value() {
                Some((&youngest, _)) if youngest != id => self.preempt(device, youngest),
                _ => return false,
            }
        }
    }

    /// Takes the pages of a request; its keys and values go to the host's memory while that has room.
    fn preempt(&mut self, device: usize, id: RequestId) {
        self.counts.preemptions += 1;
        if self.export(device, id, false) {
            return;
        }
        let bay = &mut self.bays[device];
        if let Some(sequence) = bay.running.remove(&id) {
            bay.retire(sequence, None);
            self.waiting.insert(id);
        }
    }
}
