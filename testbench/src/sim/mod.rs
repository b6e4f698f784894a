//! Simulated time and the tasks that live in it.
//!
//! A test is async Rust. Tasks wait for clock edges, for times and for each other; when nobody is
//! left to run, time goes on to the next instant at which somebody is due. At a rising edge tasks
//! see the values *before* the edge, as flip-flops do, and what they write takes effect *after* it:
//! the order in which tasks run at an edge does not matter, except to what they share in Rust.
//!
//! ```text
//! instant:  wake who is due ─► run tasks until all wait ─► clock edge, evaluate ─► apply writes
//! ```
//!
//! Everything is single-threaded; a task that waits costs nothing, and a cycle allocates nothing.

mod clock;
mod executor;
mod signal;
mod sync;

pub use clock::{Clock, Cycles, RisingEdge, with_timeout};
pub use executor::JoinHandle;
pub use signal::Signal;
pub use sync::Event;

use crate::{
    Error,
    build::Built,
    ffi::{Field, Model},
};
use executor::Executor;
use signal::PortState;
use std::{
    cell::{Cell, RefCell},
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    future::Future,
    ops::Deref,
    path::PathBuf,
    pin::{Pin, pin},
    rc::{Rc, Weak},
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

/// What a simulation starts with.
#[derive(Debug, Clone, Default)]
pub struct SimOptions {
    /// Where uninitialised state gets its random bits from.
    pub seed: u64,
    /// The waveform to write; the model must have been built with `trace`.
    pub trace: Option<PathBuf>,
}

/// The waveform of the next simulation, from `TERNTABLE_TRACE=file.fst`. A process that simulates
/// several times gets `file.fst`, `file.2.fst`, ...
pub fn trace_from_env() -> Option<PathBuf> {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    let path = PathBuf::from(std::env::var_os("TERNTABLE_TRACE").filter(|p| !p.is_empty())?);
    match COUNT.fetch_add(1, Ordering::Relaxed) {
        1 => Some(path),
        n => Some(path.with_extension(format!("{n}.fst"))),
    }
}

/// A running simulation. Dropping it ends its tasks and completes the waveform, also in a panic.
pub struct Sim {
    handle: Handle,
    executor: Rc<Executor>,
}

/// What tasks hold of a simulation: its signals, clocks and the way to start more tasks.
#[derive(Clone)]
pub struct Handle {
    core: Rc<Core>,
    executor: Weak<Executor>,
}

pub(crate) struct Core {
    top: String,
    model: Model,
    ports: Vec<PortState>,
    /// Ports written since writes were last applied.
    written: RefCell<Vec<usize>>,
    time: Cell<u64>,
    /// Whether the present instant's edges and writes are still to be applied.
    open: Cell<bool>,
    clocks: RefCell<Vec<Rc<clock::State>>>,
    timers: RefCell<BinaryHeap<Reverse<(u64, u64)>>>,
    sleepers: RefCell<BTreeMap<u64, Waker>>,
    next_sleeper: Cell<u64>,
    failure: RefCell<Option<Error>>,
}

impl Sim {
    /// Makes a simulation of a model.
    pub fn open(built: &Built, options: &SimOptions) -> Result<Self, Error> {
        let model = Model::open(built, options.seed, options.trace.as_deref())?;
        if let Some(path) = &options.trace {
            eprintln!("writing the waveform {}", path.display());
        }
        let ports: Vec<PortState> = model.ports().iter().map(PortState::new).collect();
        // State starts at random, inputs do not.
        ports
            .iter()
            .enumerate()
            .filter(|(_, p)| p.is_input())
            .for_each(|(i, p)| p.apply(&model, i));
        let core = Core {
            top: built.top.clone(),
            model,
            ports,
            written: RefCell::new(Vec::new()),
            time: Cell::new(0),
            open: Cell::new(true),
            clocks: RefCell::new(Vec::new()),
            timers: RefCell::new(BinaryHeap::new()),
            sleepers: RefCell::new(BTreeMap::new()),
            next_sleeper: Cell::new(0),
            failure: RefCell::new(None),
        };
        let executor = Rc::new(Executor::default());
        let handle = Handle { core: Rc::new(core), executor: Rc::downgrade(&executor) };
        Ok(Sim { handle, executor })
    }

    /// Runs the simulation until the future is done. An error of a background task, or the design
    /// stopping, ends it too. Afterwards simulated time stands still until the next call.
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output, Error> {
        let mut future = pin!(future);
        let main = self.executor.main_waker();
        main.wake_by_ref();
        loop {
            let mut done = None;
            self.executor.run_ready(|| {
                let poll = future.as_mut().poll(&mut Context::from_waker(&main));
                match poll {
                    Poll::Ready(value) => {
                        done = Some(value);
                        true
                    }
                    Poll::Pending => false,
                }
            });
            if let Some(error) = self.core.failure.borrow_mut().take() {
                return Err(error);
            }
            if let Some(value) = done {
                return Ok(value);
            }
            while !self.executor.has_ready() {
                self.core.advance()?;
            }
        }
    }
}

impl Deref for Sim {
    type Target = Handle;
    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // Tasks hold handles of the core: end them first, so that the model is dropped too.
        self.executor.clear();
        self.core.model.flush();
    }
}

impl Handle {
    /// A port of the top module.
    pub fn signal(&self, name: &str) -> Result<Signal, Error> {
        let ports = self.core.model.ports();
        let index = ports.iter().position(|p| p.name == name).ok_or_else(|| {
            let names = ports.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
            self.core.no_name("port", name, names)
        })?;
        Ok(Signal::new(self.core.clone(), index))
    }

    /// Drives a port as a clock with this period, low at first, and returns what tasks wait for.
    pub fn clock(&self, name: &str, period_ps: u64) -> Result<Clock, Error> {
        let port = self.signal(name)?.input(1)?;
        Ok(Clock::start(self.core.clone(), port.index(), period_ps))
    }

    /// Starts a task. It runs until it ends or the simulation is dropped.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        match self.executor.upgrade() {
            Some(executor) => executor.spawn(future),
            None => JoinHandle::never(),
        }
    }

    /// Ends the run with an error, at the end of the present instant: for background tasks, which
    /// nobody waits for. The first error is kept.
    pub fn fail(&self, error: Error) {
        self.core.failure.borrow_mut().get_or_insert(error);
    }

    /// Simulated time in picoseconds.
    pub fn time_ps(&self) -> u64 {
        self.core.time.get()
    }

    /// Waits for a stretch of simulated time.
    pub fn timer(&self, ps: u64) -> Timer {
        Timer { core: self.core.clone(), due: self.core.time.get() + ps, key: None }
    }

    /// Writes the waveform so far to its file.
    pub fn flush_trace(&self) {
        self.core.model.flush();
    }

    /// The internal storage that the model was built with: name, bits of an element, bytes.
    pub fn storage(&self) -> impl Iterator<Item = (&str, u32, usize)> {
        self.core.model.storage().iter().map(|f| (f.name.as_str(), f.width, f.bytes()))
    }

    /// A look at internal storage that was made visible when the model was built. `path` is the
    /// hierarchical name, or any unique end of it, with or without the variable: `u_residual` finds
    /// `tt_card.u_units.u_vector.u_residual.memory`.
    pub fn probe(&self, path: &str) -> Result<Probe, Error> {
        let index = self.core.find_storage(path, "visible internal storage")?;
        Ok(Probe { core: self.core.clone(), index })
    }

    /// The bytes of one element of internal storage: [`Handle::probe`] for a single look.
    pub fn peek(&self, path: &str, element: usize) -> Result<Vec<u8>, Error> {
        let probe = self.probe(path)?;
        let mut bytes = vec![0; probe.element_bytes()];
        probe.read(element, &mut bytes)?;
        Ok(bytes)
    }

    /// Inverts one bit of internal storage now: a fault. `name` is the hierarchical name, or any
    /// unique end of it. An element of `width` bits takes 1, 2, 4, 8 or a multiple of 4 bytes;
    /// elements follow each other.
    pub fn flip(&self, name: &str, element: usize, bit: u32) -> Result<(), Error> {
        let storage = self.core.model.storage();
        let index = self.core.find_storage(name, "writable internal storage")?;
        let field = &storage[index];
        if field.output {
            return Err(Error::Use {
                name: field.name.clone(),
                expected: "storage of a model built for faults".to_owned(),
                found: "storage that can only be read".to_owned(),
            });
        }
        let stride = signal::storage_bytes(field.width);
        if bit >= field.width || (element + 1) * stride > field.bytes() {
            return Err(Error::Use {
                name: field.name.clone(),
                expected: format!("bit {bit} of element {element}"),
                found: format!("{} elements of {} bits", field.bytes() / stride, field.width),
            });
        }
        self.core.model.flip(index, element * stride * 8 + bit as usize);
        self.core.check(self.core.model.eval())
    }
}

/// A look at internal storage: see [`Handle::probe`].
#[derive(Clone)]
pub struct Probe {
    core: Rc<Core>,
    index: usize,
}

impl Probe {
    fn field(&self) -> &Field {
        &self.core.model.storage()[self.index]
    }

    /// The hierarchical name.
    pub fn name(&self) -> &str {
        &self.field().name
    }

    /// Bits of an element.
    pub fn width(&self) -> u32 {
        self.field().width
    }

    /// Bytes that hold the value of an element: the width rounded up.
    pub fn element_bytes(&self) -> usize {
        self.width().div_ceil(8) as usize
    }

    /// Elements.
    pub fn elements(&self) -> usize {
        self.field().bytes() / signal::storage_bytes(self.width())
    }

    /// Copies an element, little endian, as far as `to` goes, at most [`Probe::element_bytes`].
    pub fn read(&self, element: usize, to: &mut [u8]) -> Result<(), Error> {
        let (stride, held) = (signal::storage_bytes(self.width()), self.element_bytes());
        if element >= self.elements() || to.len() > held {
            return Err(Error::Use {
                name: self.name().to_owned(),
                expected: format!("{} bytes of element {element}", to.len()),
                found: format!("{} elements of {held} bytes", self.elements()),
            });
        }
        self.core.model.peek(self.index, element * stride, to);
        Ok(())
    }

    /// The low 64 bits of an element.
    pub fn get(&self, element: usize) -> Result<u64, Error> {
        let mut value = [0; 8];
        let n = self.element_bytes().min(8);
        self.read(element, &mut value[..n])?;
        Ok(u64::from_le_bytes(value))
    }
}

impl Core {
    fn no_name(&self, kind: &'static str, name: &str, available: String) -> Error {
        let available = if available.is_empty() { "none".to_owned() } else { available };
        Error::NoName { top: self.top.clone(), kind, name: name.to_owned(), available }
    }

    fn find_storage(&self, path: &str, kind: &'static str) -> Result<usize, Error> {
        let storage = self.model.storage();
        let only = |matches: &dyn Fn(&str) -> bool| {
            let mut found = (0..storage.len()).filter(|&i| matches(&storage[i].name));
            found.next().filter(|_| found.next().is_none())
        };
        // A whole name, the end of one, or the end of the instance that has the variable.
        let instance = |name: &str| {
            let owner = name.rsplit_once('.').map_or("", |(owner, _)| owner);
            owner.strip_suffix(path).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        only(&|name| name == path)
            .or_else(|| only(&instance))
            .or_else(|| only(&|name| name.ends_with(path)))
            .ok_or_else(|| {
                let names = storage.iter().map(|f| f.name.as_str()).collect::<Vec<_>>();
                self.no_name(kind, path, names.join(", "))
            })
    }

    /// Ends the present instant and goes on to the next one at which something happens.
    fn advance(&self) -> Result<(), Error> {
        let clocks = self.clocks.borrow();
        if self.open.replace(false) {
            self.finish(&clocks)?;
        }
        let timer = self.timers.borrow().peek().map(|Reverse((due, _))| *due);
        let edge = clocks.iter().map(|c| c.next.get()).min();
        let Some(now) = edge.into_iter().chain(timer).min() else { return Err(Error::NothingDue) };
        self.time.set(now);
        self.model.set_time(now);
        self.open.set(true);
        clocks.iter().filter(|c| c.next.get() == now).for_each(|c| c.wake());
        if timer == Some(now) {
            self.wake_timers(now);
        }
        Ok(())
    }

    /// The edges of this instant, then the writes of its tasks.
    fn finish(&self, clocks: &[Rc<clock::State>]) -> Result<(), Error> {
        let now = self.time.get();
        let mut rising = false;
        for clock in clocks.iter().filter(|c| c.next.get() == now) {
            rising |= clock.toggle(&self.model);
        }
        if rising {
            self.check(self.model.eval())?;
            self.apply_writes();
            // One clock and no timers: nobody looks before the falling edge, which evaluates.
            let seen = clocks.len() > 1 || !self.timers.borrow().is_empty() || self.model.traces();
            if seen {
                self.check(self.model.eval())?;
            }
        } else {
            self.apply_writes();
            self.check(self.model.eval())?;
        }
        self.model.dump(now);
        Ok(())
    }

    fn apply_writes(&self) {
        for index in self.written.borrow_mut().drain(..) {
            self.ports[index].apply(&self.model, index);
        }
    }

    fn wake_timers(&self, now: u64) {
        let mut timers = self.timers.borrow_mut();
        while let Some(&Reverse((due, key))) = timers.peek()
            && due <= now
        {
            timers.pop();
            if let Some(waker) = self.sleepers.borrow_mut().remove(&key) {
                waker.wake();
            }
        }
    }

    #[inline]
    fn check(&self, outcome: crate::ffi::Outcome) -> Result<(), Error> {
        if outcome.quiet() { Ok(()) } else { self.report(outcome.stopped()) }
    }

    #[cold]
    fn report(&self, stopped: bool) -> Result<(), Error> {
        let text = self.model.take_text();
        if !stopped {
            print!("{text}");
            return Ok(());
        }
        self.model.dump(self.time.get());
        self.model.flush();
        Err(Error::Stopped { time_ps: self.time.get(), text: text.trim_end().to_owned() })
    }
}

/// Waits for a point in time; see [`Handle::timer`].
pub struct Timer {
    core: Rc<Core>,
    due: u64,
    key: Option<u64>,
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.core.time.get() >= self.due {
            return Poll::Ready(());
        }
        let (core, due) = (self.core.clone(), self.due);
        let key = *self.key.get_or_insert_with(|| {
            let key = core.next_sleeper.replace(core.next_sleeper.get() + 1);
            core.timers.borrow_mut().push(Reverse((due, key)));
            key
        });
        core.sleepers.borrow_mut().insert(key, cx.waker().clone());
        Poll::Pending
    }
}
