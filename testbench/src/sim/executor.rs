//! The task list: a slot for each task, a queue of those that may run. No thread, no allocation
//! once a task exists; a waker is a shared flag and a number.

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// The task number of the future that `block_on` runs.
const MAIN: usize = usize::MAX;

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Waker,
    flag: Arc<Flag>,
}

/// What a waker points at. The queue's lock is never contended: a simulation has one thread. It is
/// there because the language lets a waker travel.
struct Flag {
    task: usize,
    queued: AtomicBool,
    queue: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            lock(&self.queue).push(self.task);
        }
    }
}

fn lock(queue: &Mutex<Vec<usize>>) -> MutexGuard<'_, Vec<usize>> {
    queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// All tasks of one simulation.
pub struct Executor {
    tasks: RefCell<Vec<Option<Task>>>,
    free: RefCell<Vec<usize>>,
    queue: Arc<Mutex<Vec<usize>>>,
    /// The part of the queue that is being run, kept for its memory.
    batch: RefCell<Vec<usize>>,
    main: Arc<Flag>,
}

impl Default for Executor {
    fn default() -> Self {
        let queue = Arc::new(Mutex::new(Vec::new()));
        let main = Flag { task: MAIN, queued: AtomicBool::new(false), queue: queue.clone() };
        Executor {
            tasks: RefCell::default(),
            free: RefCell::default(),
            queue,
            batch: RefCell::default(),
            main: Arc::new(main),
        }
    }
}

impl Executor {
    pub fn main_waker(&self) -> Waker {
        self.main.clone().into()
    }

    pub fn has_ready(&self) -> bool {
        !lock(&self.queue).is_empty()
    }

    /// Runs every task that may run, in the order of waking, and `main` when it is its turn;
    /// `main` says whether it is done, which ends the round after the tasks already queued.
    pub fn run_ready(&self, mut main: impl FnMut() -> bool) {
        let mut batch = std::mem::take(&mut *self.batch.borrow_mut());
        let mut done = false;
        while !done {
            std::mem::swap(&mut batch, &mut *lock(&self.queue));
            if batch.is_empty() {
                break;
            }
            for task in batch.drain(..) {
                if task == MAIN {
                    self.main.queued.store(false, Ordering::Relaxed);
                    done |= !done && main();
                } else {
                    self.poll(task);
                }
            }
        }
        *self.batch.borrow_mut() = batch;
    }

    fn poll(&self, index: usize) {
        let taken = self.tasks.borrow_mut().get_mut(index).and_then(Option::take);
        let Some(mut task) = taken else { return };
        task.flag.queued.store(false, Ordering::Relaxed);
        match task.future.as_mut().poll(&mut Context::from_waker(&task.waker)) {
            Poll::Pending => self.tasks.borrow_mut()[index] = Some(task),
            Poll::Ready(()) => self.free.borrow_mut().push(index),
        }
    }

    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        let shared = Rc::new(RefCell::new(Join { value: None, waiting: None }));
        let theirs = shared.clone();
        let future = Box::pin(async move {
            let value = future.await;
            let waiting = {
                let mut join = theirs.borrow_mut();
                join.value = Some(value);
                join.waiting.take()
            };
            if let Some(waker) = waiting {
                waker.wake();
            }
        });
        let index = self.free.borrow_mut().pop().unwrap_or_else(|| {
            self.tasks.borrow_mut().push(None);
            self.tasks.borrow().len() - 1
        });
        let flag = Arc::new(Flag {
            task: index,
            queued: AtomicBool::new(false),
            queue: self.queue.clone(),
        });
        let waker: Waker = flag.clone().into();
        waker.wake_by_ref();
        self.tasks.borrow_mut()[index] = Some(Task { future, waker, flag });
        JoinHandle { shared }
    }

    /// Drops every task.
    pub fn clear(&self) {
        // Taken out first: a task's drop may touch the executor.
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        drop(tasks);
        self.free.borrow_mut().clear();
    }
}

struct Join<T> {
    value: Option<T>,
    waiting: Option<Waker>,
}

/// Waits for a task and gives its value. Dropping it lets the task go on.
pub struct JoinHandle<T> {
    shared: Rc<RefCell<Join<T>>>,
}

impl<T> JoinHandle<T> {
    /// The handle of a task that was never started, because its simulation is gone.
    pub(super) fn never() -> Self {
        JoinHandle { shared: Rc::new(RefCell::new(Join { value: None, waiting: None })) }
    }

    /// Whether the task has ended.
    pub fn is_done(&self) -> bool {
        self.shared.borrow().value.is_some()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut join = self.shared.borrow_mut();
        match join.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                join.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
