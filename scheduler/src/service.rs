//! The scheduler with threads: one a device, and one that looks after late ones.

use crate::{
    device::Device,
    options::Options,
    request::{Answer, Refusal, Request},
    scheduler::Scheduler,
    status::Status,
};
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use thiserror::Error;

/// How often late devices are looked for, and the longest that a thread sleeps.
const TICK: Duration = Duration::from_millis(100);

/// A service that cannot start.
#[derive(Debug, Error)]
pub enum Error {
    /// Devices that do not fit together.
    #[error("{0}")]
    Devices(String),
    /// Requests are left that no device takes: a fault of the scheduler.
    #[error("requests are left and no device takes them; please report this: {0}")]
    Stalled(String),
    /// The system gives no thread.
    #[error("cannot start a thread for {device}: {source}; end other programs")]
    Thread {
        /// Of this device.
        device: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// Devices at work for many clients.
#[derive(Debug)]
pub struct Service {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// Submits requests; clones go to the same service.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    scheduler: Scheduler,
    stopped: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.lock().scheduler.status())
    }
}

impl Shared {
    /// The state. A thread that panicked elsewhere has changed nothing by halves: devices' panics are caught.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until something changes, at most a tick.
    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Works for a device until the service stops or the device fails.
    fn work(&self, index: usize, mut device: Box<dyn Device>) {
        let mut state = self.lock();
        while !state.stopped {
            let Some(work) = state.scheduler.plan(index) else {
                state = self.wait(state);
                continue;
            };
            drop(state);
            let done = work.run(&mut *device);
            state = self.lock();
            state.scheduler.complete(index, done);
            self.changed.notify_all();
        }
    }

    /// Takes late devices out until the service stops.
    fn watch(&self, limit: Duration) {
        let mut state = self.lock();
        while !state.stopped {
            for device in state.scheduler.overdue() {
                let error = format!("its pass did not end within {:.1} s", limit.as_secs_f64());
                state.scheduler.fail(device, error);
                self.changed.notify_all();
            }
            state = self.wait(state);
        }
    }
}

impl Service {
    /// Starts a thread for each device. All must hold the same model.
    pub fn start(devices: Vec<Box<dyn Device>>, options: Options) -> Result<Service, Error> {
        check(&devices)?;
        let limit = options.pass_limit;
        let state = State { scheduler: Scheduler::new(&devices, options), stopped: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let mut service = Service { shared: shared.clone(), threads: Vec::new() };
        for (index, device) in devices.into_iter().enumerate() {
            let (name, shared) = (device.name().to_string(), shared.clone());
            service.spawn(&name, move || shared.work(index, device))?;
        }
        service.spawn("watch", move || shared.watch(limit))?;
        Ok(service)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = std::thread::Builder::new().name(name.into()).spawn(run);
        let wrong = |source| Error::Thread { device: name.into(), source };
        self.threads.push(thread.map_err(wrong)?);
        Ok(())
    }

    /// A client.
    pub fn client(&self) -> Client {
        Client { shared: self.shared.clone() }
    }

    /// Takes no more requests, waits until all have ended, at most so long, and cancels what is left.
    pub fn shutdown(mut self, patience: Duration) {
        self.stop(patience);
    }

    fn stop(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.shared.lock();
        state.scheduler.close();
        while !state.scheduler.idle() && Instant::now() < deadline {
            state = self.shared.wait(state);
        }
        state.scheduler.cancel_all();
        state.stopped = true;
        let stuck = state.scheduler.stuck();
        drop(state);
        self.shared.changed.notify_all();
        for (index, thread) in self.threads.drain(..).enumerate() {
            // A device that does not come back is left behind.
            if !stuck.contains(&index) {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

impl Client {
    /// Takes a request, or says why not.
    pub fn submit(&self, request: Request) -> Result<Answer, Refusal> {
        let answer = self.shared.lock().scheduler.submit(request);
        self.shared.changed.notify_all();
        answer
    }

    /// A look at everything.
    pub fn status(&self) -> Status {
        self.shared.lock().scheduler.status()
    }
}

/// Refuses devices that could not give the same tokens.
pub(crate) fn check(devices: &[Box<dyn Device>]) -> Result<(), Error> {
    let Some((first, others)) = devices.split_first() else {
        return Err(Error::Devices("no device is given; expected at least one".into()));
    };
    for device in devices {
        let limits = device.limits();
        if limits.slots == 0 || limits.sequences == 0 || limits.pages == 0 || limits.page_rows == 0
        {
            return Err(Error::Devices(format!("{} has no room: {limits:?}", device.name())));
        }
    }
    match others.iter().find(|device| device.config() != first.config()) {
        None => Ok(()),
        Some(other) => Err(Error::Devices(format!(
            "{} and {} hold different models ({:?} and {:?}); expected the same on all devices",
            first.name(),
            other.name(),
            first.config(),
            other.config()
        ))),
    }
}
