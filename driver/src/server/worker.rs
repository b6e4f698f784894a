//! The thread in which a card works.

use crate::{
    Error,
    function::Function,
    golden::VECTORS,
    memory::{DmaTable, HostMemory, Unmapped},
};
use std::{
    fs::File,
    io::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, TryRecvError},
    },
    thread::JoinHandle,
};

/// What the server asks of the card's thread.
pub(super) enum Request {
    /// Reads a register.
    Read(usize, mpsc::SyncSender<u32>),
    /// Writes a register.
    Write(usize, u32),
    /// A reset; says when it is done.
    Reset(mpsc::SyncSender<()>),
}

/// What server and card share.
#[derive(Default)]
pub(super) struct Shared {
    memory: Mutex<DmaTable>,
    interrupts: Mutex<[Option<File>; VECTORS as usize]>,
}

impl Shared {
    /// What is mapped for the card.
    pub fn memory(&self) -> MutexGuard<'_, DmaTable> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the vectors go.
    pub fn interrupts(&self) -> MutexGuard<'_, [Option<File>; VECTORS as usize]> {
        self.interrupts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn raise(&self, vector: u32) {
        if let Some(Some(file)) = self.interrupts().get(vector as usize) {
            // An event file that is full has been raised already.
            let _ = (&*file).write_all(&1_u64.to_ne_bytes());
        }
    }
}

/// Each access locks the table for itself, so a mapping can go between two bursts.
impl HostMemory for Shared {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Unmapped> {
        self.memory().read(address, bytes)
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Unmapped> {
        self.memory().write(address, bytes)
    }
}

/// The server's end.
pub(super) struct Worker {
    pub shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
}

impl Worker {
    /// Asks and waits for the answer; `None` when the card's thread is gone.
    pub fn ask<T>(&self, request: impl FnOnce(mpsc::SyncSender<T>) -> Request) -> Option<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.requests.send(request(answer)).ok()?;
        answered.recv().ok()
    }

    /// Writes a register, some time before the next request.
    pub fn write(&self, offset: usize, value: u32) -> Option<()> {
        self.requests.send(Request::Write(offset, value)).ok()
    }
}

/// Starts the thread; the card is made in it.
pub(super) fn start(
    make: impl FnOnce() -> Result<Box<dyn Function>, Error> + Send + 'static,
) -> Result<(Worker, JoinHandle<()>), Error> {
    let (requests, inbox) = mpsc::channel();
    let (ready, made) = mpsc::sync_channel(1);
    let shared = Arc::new(Shared::default());
    let for_card = shared.clone();
    let thread = std::thread::spawn(move || match make() {
        Ok(mut card) => {
            let _ = ready.send(Ok(()));
            work(&mut *card, &inbox, &for_card);
        }
        Err(error) => {
            let _ = ready.send(Err(error));
        }
    });
    made.recv().unwrap_or_else(|_| Err(Error::Refused("the card could not be made".into())))?;
    Ok((Worker { shared, requests }, thread))
}

/// Requests first, then work; sleeps when there is neither.
fn work(card: &mut dyn Function, inbox: &mpsc::Receiver<Request>, shared: &Shared) {
    let mut busy = false;
    loop {
        let request = match busy {
            true => inbox.try_recv(),
            false => inbox.recv().map_err(|_| TryRecvError::Disconnected),
        };
        match request {
            Ok(Request::Read(offset, answer)) => {
                let _ = answer.send(card.read32(offset));
            }
            Ok(Request::Write(offset, value)) => card.write32(offset, value),
            Ok(Request::Reset(done)) => {
                card.reset();
                let _ = done.send(());
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return,
        }
        busy = card.work(shared);
        while let Some(vector) = card.take_interrupt() {
            shared.raise(vector);
        }
    }
}
