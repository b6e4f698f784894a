//! Devices and requests on a virtual clock, without threads: the same every time.

use crate::{
    device::{Device, DeviceError},
    options::Options,
    request::{Answer, Event, Finish, Refusal, Request},
    scheduler::Scheduler,
    service::{Error, check},
    status::Status,
    work::Done,
};
use std::time::Duration;
use tokio::sync::mpsc::error::TryRecvError;

/// A request and when it comes.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// When, from the start.
    pub at: Duration,
    /// The request.
    pub request: Request,
    /// Its client goes away after so many tokens.
    pub leaves_after: Option<usize>,
}

/// A made token and when it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped {
    /// When, from the start.
    pub at: Duration,
    /// Passes that its device had run by then.
    pub pass: u64,
    /// The token.
    pub token: crate::request::Token,
}

/// What became of an arrival.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// Its tokens.
    pub tokens: Vec<Stamped>,
    /// How and when it ended; `None` if it was refused or its client went away.
    pub finish: Option<(Duration, Finish)>,
    /// Why it was not taken.
    pub refused: Option<Refusal>,
    /// Passes of all devices when it came, and when it ended.
    pub passes: (u64, u64),
}

/// A replay that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// What became of every arrival.
    pub records: Vec<Record>,
    /// The counters at the end.
    pub status: Status,
    /// From the start to the last event.
    pub elapsed: Duration,
}

/// Work that a device does until a time.
struct Doing {
    until: Duration,
    device: usize,
    done: Result<Done, DeviceError>,
}

/// Serves arrivals, which come by time, as a service would whose devices take the times that they say.
pub fn replay(
    mut devices: Vec<Box<dyn Device>>,
    options: Options,
    arrivals: &[Arrival],
) -> Result<Replayed, Error> {
    check(&devices)?;
    let mut scheduler = Scheduler::new(&devices, options);
    let mut records = vec![Record::default(); arrivals.len()];
    let mut listeners: Vec<(usize, Answer)> = Vec::new();
    let mut doing: Vec<Doing> = Vec::new();
    let (mut now, mut next) = (Duration::ZERO, 0);
    loop {
        while let Some(arrival) = arrivals.get(next).filter(|arrival| arrival.at <= now) {
            records[next].passes.0 = scheduler.passes();
            match scheduler.submit(arrival.request.clone()) {
                Ok(answer) => listeners.push((next, answer)),
                Err(refusal) => records[next].refused = Some(refusal),
            }
            next += 1;
        }
        for (device, machine) in devices.iter_mut().enumerate() {
            if let Some(work) = scheduler.plan(device) {
                let done = work.run(&mut **machine);
                let time = done.as_ref().ok().and_then(|done| done.passed.as_ref());
                let until = now + time.map_or(Duration::ZERO, |passed| passed.time);
                doing.push(Doing { until, device, done });
            }
        }
        let first = (0..doing.len()).min_by_key(|&i| (doing[i].until, doing[i].device));
        let arrives = arrivals.get(next).map(|arrival| arrival.at);
        match (first, arrives) {
            (Some(first), at) if at.is_none_or(|at| doing[first].until <= at) => {
                let Doing { until, device, done } = doing.swap_remove(first);
                now = until;
                scheduler.complete(device, done);
                let pass = (now, scheduler.device_passes(device), scheduler.passes());
                listeners.retain_mut(|(i, answer)| {
                    let leaves = arrivals[*i].leaves_after.unwrap_or(usize::MAX);
                    listen(answer, &mut records[*i], pass, leaves)
                });
            }
            (_, Some(at)) => now = at,
            (_, None) => break,
        }
    }
    // Clients that went away at the very end are noticed now.
    scheduler.reap();
    if !scheduler.idle() {
        return Err(Error::Stalled(format!("{:?}", scheduler.status())));
    }
    let passes = scheduler.passes();
    listeners.iter_mut().for_each(|(i, answer)| {
        listen(answer, &mut records[*i], (now, 0, passes), usize::MAX);
    });
    Ok(Replayed { records, status: scheduler.status(), elapsed: now })
}

/// Takes what an answer says; `false` if it is over or its client goes away.
fn listen(
    answer: &mut Answer,
    record: &mut Record,
    pass: (Duration, u64, u64),
    leaves: usize,
) -> bool {
    let (at, pass, passes) = pass;
    record.passes.1 = passes;
    loop {
        if record.tokens.len() >= leaves {
            return false;
        }
        match answer.events.try_recv() {
            Ok(Event::Token(token)) => record.tokens.push(Stamped { at, pass, token }),
            Ok(Event::Finished(finish)) => {
                record.finish = Some((at, finish));
                return false;
            }
            Err(TryRecvError::Empty) => return true,
            Err(TryRecvError::Disconnected) => return false,
        }
    }
}
