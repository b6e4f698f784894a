//! What tasks tell each other.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

/// Something that happens again and again: whoever waits is woken the next time.
#[derive(Clone, Default)]
pub struct Event {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    count: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Event {
    /// Wakes everybody who waits.
    pub fn notify(&self) {
        self.shared.count.set(self.shared.count.get() + 1);
        self.shared.waiting.borrow_mut().drain(..).for_each(Waker::wake);
    }

    /// Waits for the next [`Event::notify`].
    pub async fn wait(&self) {
        let seen = self.shared.count.get();
        poll_fn(|cx| {
            if self.shared.count.get() != seen {
                return Poll::Ready(());
            }
            self.shared.waiting.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
