//! Clocks: what drives a port up and down, and what tasks wait for.

use super::Core;
use crate::{Error, ffi::Model};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// A clock of the simulation.
#[derive(Clone)]
pub struct Clock {
    state: Rc<State>,
}

pub(super) struct State {
    port: usize,
    half: u64,
    high: Cell<bool>,
    /// Time of the next edge, which is the present one until it is applied.
    pub next: Cell<u64>,
    /// Rising edges so far, the present one included.
    count: Cell<u64>,
    /// Who waits for the next rising edge.
    rising: RefCell<Vec<Waker>>,
    /// Who waits for a certain one: (edge, ticket).
    later: RefCell<BTreeMap<(u64, u64), Waker>>,
    earliest: Cell<u64>,
    tickets: Cell<u64>,
}

impl State {
    /// Wakes who is due at the edge that is to come now.
    pub fn wake(&self) {
        if self.high.get() {
            return;
        }
        let count = self.count.get() + 1;
        self.count.set(count);
        self.rising.borrow_mut().drain(..).for_each(Waker::wake);
        if count >= self.earliest.get() {
            let mut later = self.later.borrow_mut();
            while let Some(entry) = later.first_entry()
                && entry.key().0 <= count
            {
                entry.remove().wake();
            }
            self.earliest.set(later.first_key_value().map_or(u64::MAX, |(key, _)| key.0));
        }
    }

    /// Applies the edge; true if it rises.
    pub fn toggle(&self, model: &Model) -> bool {
        let high = !self.high.get();
        self.high.set(high);
        self.next.set(self.next.get() + self.half);
        model.write_bytes(self.port, &[u8::from(high)]);
        high
    }
}

impl Clock {
    pub(super) fn start(core: Rc<Core>, port: usize, period_ps: u64) -> Self {
        let half = (period_ps / 2).max(1);
        let state = Rc::new(State {
            port,
            half,
            high: Cell::new(false),
            next: Cell::new(core.time.get() + half),
            count: Cell::new(0),
            rising: RefCell::default(),
            later: RefCell::default(),
            earliest: Cell::new(u64::MAX),
            tickets: Cell::new(0),
        });
        core.clocks.borrow_mut().push(state.clone());
        Clock { state }
    }

    /// The number of rising edges so far.
    #[inline]
    pub fn cycle(&self) -> u64 {
        self.state.count.get()
    }

    /// Waits for the next rising edge.
    #[inline]
    pub fn rising_edge(&self) -> RisingEdge<'_> {
        RisingEdge { clock: self, target: 0 }
    }

    /// Waits for so many rising edges, at the cost of one wake.
    pub fn cycles(&self, n: u64) -> Cycles {
        Cycles { state: self.state.clone(), target: self.cycle() + n, ticket: None }
    }

    /// Waits until the condition holds at a rising edge, for at most `limit` of them.
    pub async fn until(
        &self,
        limit: u64,
        what: &str,
        condition: impl Fn() -> bool,
    ) -> Result<(), Error> {
        for _ in 0..limit {
            self.rising_edge().await;
            if condition() {
                return Ok(());
            }
        }
        Err(Error::Timeout { what: what.to_owned(), cycles: limit, now: self.cycle() })
    }
}

/// See [`Clock::rising_edge`].
#[must_use = "an edge is waited for with .await"]
pub struct RisingEdge<'a> {
    clock: &'a Clock,
    target: u64,
}

impl Future for RisingEdge<'_> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = &self.clock.state;
        let count = state.count.get();
        if self.target == 0 {
            state.rising.borrow_mut().push(cx.waker().clone());
            self.target = count + 1;
            return Poll::Pending;
        }
        if count >= self.target { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// See [`Clock::cycles`].
#[must_use = "cycles are waited for with .await"]
pub struct Cycles {
    state: Rc<State>,
    target: u64,
    ticket: Option<u64>,
}

impl Future for Cycles {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.state.count.get() >= self.target {
            return Poll::Ready(());
        }
        if self.ticket.is_none() {
            let ticket = self.state.tickets.replace(self.state.tickets.get() + 1);
            self.ticket = Some(ticket);
            let key = (self.target, ticket);
            self.state.later.borrow_mut().insert(key, cx.waker().clone());
            self.state.earliest.set(self.state.earliest.get().min(self.target));
        }
        Poll::Pending
    }
}

impl Drop for Cycles {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.state.later.borrow_mut().remove(&(self.target, ticket));
        }
    }
}

/// Waits for a future for at most `cycles` rising edges; the error names what was waited for.
pub async fn with_timeout<F: Future>(
    clock: &Clock,
    cycles: u64,
    what: &str,
    future: F,
) -> Result<F::Output, Error> {
    let mut future = pin!(future);
    let mut limit = pin!(clock.cycles(cycles));
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        limit
            .as_mut()
            .poll(cx)
            .map(|()| Err(Error::Timeout { what: what.to_owned(), cycles, now: clock.cycle() }))
    })
    .await
}
