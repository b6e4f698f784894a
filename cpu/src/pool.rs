//! Threads that share the chunks of a job.
//!
//! A job is a pure function of a chunk's number. Threads claim chunks one by one; who is done first with a
//! chunk sets its result. When all are claimed and one takes too long, because its thread lost its
//! core to another process, the caller computes that chunk itself instead of waiting: the results are
//! the same bits, so it does not matter whose is taken. Idle threads spin for some microseconds, then
//! sleep.

use std::{
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long an idle thread spins before it sleeps: longer than the serial work between two jobs.
const SPIN: Duration = Duration::from_micros(60);
/// Least time that a caller waits for a chunk in another thread's hands.
const PATIENCE: Duration = Duration::from_micros(20);

/// Elementary operations that take longer than sharing them.
const WORTH: usize = 1 << 17;

/// Threads that wait for jobs. The caller's thread is one of them.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

/// The results of a job, in the order of its chunks. Every one is set.
#[derive(Debug)]
pub struct Results<R>(Arc<[OnceLock<R>]>);

impl<R> Clone for Results<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R> Results<R> {
    /// The result of a chunk.
    pub fn get(&self, chunk: usize) -> Option<&R> {
        self.0.get(chunk).and_then(OnceLock::get)
    }

    /// Results in the order of the chunks.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.0.iter().filter_map(OnceLock::get)
    }
}

trait Task: Send + Sync {
    /// Works on chunks until all are claimed.
    fn work(&self);
}

struct Job<R, F> {
    work: F,
    next: AtomicUsize,
    done: AtomicUsize,
    results: Arc<[OnceLock<R>]>,
}

impl<R, F: Fn(usize) -> R> Job<R, F> {
    fn compute(&self, chunk: usize) {
        if self.results[chunk].set((self.work)(chunk)).is_ok() {
            self.done.fetch_add(1, Ordering::Release);
        }
    }

    fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire) == self.results.len()
    }
}

impl<R: Send + Sync, F: Fn(usize) -> R + Send + Sync> Task for Job<R, F> {
    fn work(&self) {
        loop {
            let chunk = self.next.fetch_add(1, Ordering::Relaxed);
            if chunk >= self.results.len() {
                return;
            }
            self.compute(chunk);
        }
    }
}

#[derive(Default)]
struct Shared {
    task: Mutex<Option<Arc<dyn Task>>>,
    wake: Condvar,
    /// Counts the tasks; changes under the lock.
    epoch: AtomicU64,
    sleepers: AtomicUsize,
    stop: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<dyn Task>>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, task: Option<Arc<dyn Task>>) {
        let mut slot = self.lock();
        *slot = task;
        self.epoch.fetch_add(1, Ordering::Release);
        drop(slot);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            self.wake.notify_all();
        }
    }

    /// The task of an epoch after `seen`; `None` once the pool stops.
    fn wait(&self, seen: &mut u64) -> Option<Arc<dyn Task>> {
        loop {
            let start = Instant::now();
            while self.epoch.load(Ordering::Acquire) == *seen && start.elapsed() < SPIN {
                for _ in 0..8 {
                    std::hint::spin_loop();
                }
            }
            let mut slot = self.lock();
            self.sleepers.fetch_add(1, Ordering::SeqCst);
            while self.epoch.load(Ordering::Acquire) == *seen && !self.stop.load(Ordering::Acquire)
            {
                slot = self.wake.wait(slot).unwrap_or_else(PoisonError::into_inner);
            }
            self.sleepers.fetch_sub(1, Ordering::SeqCst);
            *seen = self.epoch.load(Ordering::Acquire);
            if self.stop.load(Ordering::Acquire) {
                return None;
            }
            if let Some(task) = slot.clone() {
                return Some(task);
            }
        }
    }
}

impl Pool {
    /// `threads` threads, the caller's among them.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let workers = (1..threads).map(|i| {
            let shared = shared.clone();
            std::thread::Builder::new().name(format!("cpu {i}")).spawn(move || {
                let mut seen = 0;
                while let Some(task) = shared.wait(&mut seen) {
                    task.work();
                }
            })
        });
        // A machine that gives fewer threads is slower, not wrong.
        let workers = workers.map_while(Result::ok).collect();
        Self { shared, workers }
    }

    /// Threads, the caller's among them.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Computes `work` of 0 to `chunks`. `work` must depend on nothing but its argument and what it
    /// owns: a chunk may be computed more than once.
    pub fn run<R, F>(&self, chunks: usize, work: F) -> Results<R>
    where
        R: Send + Sync + 'static,
        F: Fn(usize) -> R + Send + Sync + 'static,
    {
        let results: Arc<[OnceLock<R>]> = (0..chunks).map(|_| OnceLock::new()).collect();
        let job = Arc::new(Job {
            work,
            next: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            results: results.clone(),
        });
        let alone = chunks < 2 || self.workers.is_empty();
        if !alone {
            self.shared.publish(Some(job.clone()));
        }
        let start = Instant::now();
        job.work();
        if !alone {
            self.finish(&job, start);
            self.shared.lock().take();
        }
        Results(results)
    }

    /// As [`Pool::run`] if the job has `operations` enough to be worth waking others, else all in the
    /// caller's thread.
    pub fn run_if_worth<R, F>(&self, operations: usize, chunks: usize, work: F) -> Results<R>
    where
        R: Send + Sync + 'static,
        F: Fn(usize) -> R + Send + Sync + 'static,
    {
        if operations >= WORTH {
            return self.run(chunks, work);
        }
        Results((0..chunks).map(|chunk| OnceLock::from(work(chunk))).collect())
    }

    /// Waits for chunks in other hands as long as chunks have taken so far, then computes them here.
    fn finish<R, F: Fn(usize) -> R>(&self, job: &Job<R, F>, start: Instant) {
        let own = start.elapsed();
        let chunks = job.results.len() as u32;
        let patience = (own * 2 * self.threads() as u32 / chunks).max(PATIENCE);
        while !job.is_done() && start.elapsed() < own + patience {
            std::hint::spin_loop();
        }
        for chunk in 0..job.results.len() {
            if job.results[chunk].get().is_none() {
                job.compute(chunk);
            }
        }
        // A chunk that another thread has set but not yet counted is set: nothing to wait for.
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.publish(None);
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_whatever_the_threads() {
        for threads in 1..5 {
            let pool = Pool::new(threads);
            for chunks in [0, 1, 2, 7, 100] {
                let results = pool.run(chunks, |chunk| chunk * chunk);
                let expected: Vec<usize> = (0..chunks).map(|chunk| chunk * chunk).collect();
                assert_eq!(results.iter().copied().collect::<Vec<_>>(), expected);
            }
        }
    }

    #[test]
    fn a_thread_that_is_stuck_does_not_hold_up_the_caller() {
        let pool = Pool::new(2);
        let caller = std::thread::current().id();
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let stuck = gate.clone();
        // Whichever chunk the other thread takes, it stays in it until the gate opens.
        let results = pool.run(4, move |chunk| {
            if std::thread::current().id() != caller {
                let (open, wake) = &*stuck;
                let mut open = open.lock().unwrap();
                while !*open {
                    open = wake.wait(open).unwrap();
                }
            } else {
                std::thread::sleep(Duration::from_millis(5));
            }
            chunk
        });
        assert_eq!(results.iter().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
        // The next job is done without it as well.
        assert_eq!(pool.run(3, |chunk| chunk).iter().count(), 3);
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
    }

    #[test]
    fn idle_threads_sleep() {
        let pool = Pool::new(3);
        pool.run(8, |chunk| chunk);
        let start = Instant::now();
        while pool.shared.sleepers.load(Ordering::SeqCst) < 2 {
            assert!(start.elapsed() < Duration::from_secs(20), "still spinning");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
