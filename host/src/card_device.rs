//! A card for the scheduler: the model on it lives on a thread of its own, since a simulated card cannot move
//! between threads.

use crate::{
    Error,
    card::{Card, CardModel, Chunk},
};
use std::{
    collections::BTreeMap,
    sync::mpsc::{Sender, channel},
    time::Instant,
};
use terntable_golden::{
    card::{kv::KvError, shape::KvShape},
    head::HeadMode,
    model::Config,
};
use terntable_scheduler::{
    Device, DeviceError,
    device::{self, Limits, Passed, SequenceId},
    snapshot::Snapshot,
};

/// Something to do on the card's thread.
type Job<C> = Box<dyn FnOnce(&mut Held<C>) + Send>;

/// A model on a card, for the scheduler.
pub struct CardDevice<C: Card> {
    name: String,
    config: Config,
    limits: Limits,
    jobs: Sender<Job<C>>,
}

/// What lives on the thread.
struct Held<C: Card> {
    model: CardModel<C>,
    head: HeadMode,
    /// The card's own names of the scheduler's sequences.
    names: BTreeMap<SequenceId, SequenceId>,
}

impl<C: Card + 'static> CardDevice<C> {
    /// Opens a card on a thread of its own.
    pub fn open(
        name: &str,
        head: HeadMode,
        open: impl FnOnce() -> Result<CardModel<C>, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let (jobs, received) = channel::<Job<C>>();
        let (opened, answer) = channel();
        let run = move || {
            let model = match open() {
                Ok(model) => model,
                Err(error) => return drop(opened.send(Err(error))),
            };
            let mut held = Held { model, head, names: BTreeMap::new() };
            // Nobody waits for the answer if the opener is gone.
            let _ = opened.send(Ok((held.model.header().config.clone(), held.limits())));
            received.into_iter().for_each(|job| job(&mut held));
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(run);
        thread.map_err(|e| Error::Card(format!("{name}: cannot start a thread: {e}")))?;
        let gone =
            |_| Error::Card(format!("{name}: the card's thread ended while it opened the card"));
        let (config, limits) = answer.recv().map_err(gone)??;
        Ok(Self { name: name.into(), config, limits, jobs })
    }

    /// Does something on the card's thread.
    fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Held<C>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, DeviceError> {
        let (done, answer) = channel();
        let job = Box::new(move |held: &mut Held<C>| drop(done.send(job(held))));
        let gone = || {
            DeviceError(format!("{}: the card's thread is gone; open the card again", self.name))
        };
        self.jobs.send(job).map_err(|_| gone())?;
        let done = answer.recv().map_err(|_| gone())?;
        done.map_err(|error| DeviceError(error.to_string()))
    }
}

fn refused(error: KvError) -> Error {
    Error::Card(error.to_string())
}

impl<C: Card> Held<C> {
    fn limits(&mut self) -> Limits {
        let (slots, layout) = (self.model.slots(), self.model.layout());
        Limits {
            slots,
            sequences: layout.table_count,
            pages: layout.pages as usize,
            page_rows: layout.page_rows,
            shared_pages: true,
        }
    }

    fn name(&self, id: SequenceId) -> Result<SequenceId, Error> {
        let unknown = || Error::Card(format!("sequence {} was never begun on this card", id.0));
        self.names.get(&id).copied().ok_or_else(unknown)
    }

    fn kv_shape(&mut self) -> KvShape {
        let Config { head_dim, kv, .. } = self.model.header().config;
        KvShape::new(self.model.card().config(), head_dim, kv)
    }

    /// The bytes of a page, a layer each.
    fn page(&mut self, page: u32) -> Result<Vec<Vec<u8>>, Error> {
        let places: Vec<_> = self.model.layout().page(page).collect();
        let mut layers = Vec::with_capacity(places.len());
        for (address, bytes) in places {
            let mut layer = vec![0; bytes];
            self.model.card().read_state(address, &mut layer)?;
            layers.push(layer);
        }
        Ok(layers)
    }

    fn export(&mut self, id: SequenceId) -> Result<Snapshot, Error> {
        let name = self.name(id)?;
        let (shape, rows) = (self.kv_shape(), self.model.layout().page_rows);
        let length = self.model.length(name)?;
        let config = self.model.header().config.clone();
        let pages = self.model.kv().pages(name).map_err(refused)?.to_vec();
        let mut held = Vec::with_capacity(pages.len());
        for page in pages {
            held.push(self.page(page)?);
        }
        let (mut key, mut value) = (Vec::new(), Vec::new());
        Ok(Snapshot::write(&config, length, |layer, head, position, writer| {
            let head = &held[position / rows][layer][head * shape.head_bytes()..];
            let row = position % rows;
            let read = |at: usize, into: &mut Vec<i8>| {
                into.clear();
                shape.unpack(&head[at..at + shape.row_bytes], into);
                into.truncate(config.head_dim);
            };
            let step = |at: usize| f32::from_le_bytes(std::array::from_fn(|i| head[at + i]));
            read(shape.key(row), &mut key);
            read(shape.value(row), &mut value);
            writer.put(&key, step(shape.key_step(row)), &value, step(shape.value_step(row)));
        }))
    }

    fn import(&mut self, id: SequenceId, snapshot: &Snapshot) -> Result<(), Error> {
        let name = self.model.kv().create().map_err(refused)?;
        self.names.insert(id, name);
        let length = snapshot.length();
        self.model.reserve(name, length)?;
        let (shape, rows) = (self.kv_shape(), self.model.layout().page_rows);
        let heads = self.model.header().config.kv_heads;
        let pages = self.model.kv().pages(name).map_err(refused)?.to_vec();
        for (page, first) in pages.into_iter().zip((0..length).step_by(rows)) {
            let places: Vec<_> = self.model.layout().page(page).collect();
            for (layer, (address, bytes)) in places.into_iter().enumerate() {
                let mut content = vec![0; bytes];
                for (position, head) in (first..length.min(first + rows))
                    .flat_map(|position| (0..heads).map(move |head| (position, head)))
                {
                    let (key, value) = snapshot.rows(layer, head, position);
                    let (into, row) = (&mut content[head * shape.head_bytes()..], position % rows);
                    let mut put =
                        |at: usize, bytes: &[u8]| into[at..at + bytes.len()].copy_from_slice(bytes);
                    put(shape.key(row), &shape.pack(key.values));
                    put(shape.key_step(row), &key.step.to_le_bytes());
                    put(shape.value(row), &shape.pack(value.values));
                    put(shape.value_step(row), &value.step.to_le_bytes());
                }
                self.model.card().write_state(address, &content)?;
            }
        }
        self.model.kv().commit(name, length).map_err(refused)
    }
}

impl<C: Card + 'static> Device for CardDevice<C> {
    fn name(&self) -> &str {
        &self.name
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn begin(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.call(move |held| {
            let name = held.model.kv().create().map_err(refused)?;
            held.names.insert(id, name);
            Ok(())
        })
    }

    fn fork(&mut self, from: SequenceId, to: SequenceId, length: usize) -> Result<(), DeviceError> {
        self.call(move |held| {
            let from = held.name(from)?;
            let fork = held.model.kv().fork(from).map_err(refused)?;
            held.names.insert(to, fork);
            held.model.kv().rewind(fork, length).map_err(refused)
        })
    }

    fn truncate(&mut self, id: SequenceId, length: usize) -> Result<(), DeviceError> {
        self.call(move |held| {
            let name = held.name(id)?;
            held.model.kv().rewind(name, length).map_err(refused)
        })
    }

    fn end(&mut self, id: SequenceId) -> Result<(), DeviceError> {
        self.call(move |held| {
            let name = held.name(id)?;
            held.names.remove(&id);
            held.model.kv().end(name).map_err(refused)
        })
    }

    fn pass(&mut self, chunks: &[device::Chunk<'_>]) -> Result<Passed, DeviceError> {
        let chunks: Vec<(SequenceId, Vec<u32>, usize)> =
            chunks.iter().map(|c| (c.sequence, c.tokens.to_vec(), c.wanted)).collect();
        self.call(move |held| {
            let start = Instant::now();
            let mut named = Vec::with_capacity(chunks.len());
            for (id, tokens, wanted) in &chunks {
                named.push(Chunk { sequence: held.name(*id)?, tokens, wanted: *wanted });
            }
            let ranked = held.model.pass(held.head, &named)?;
            Ok(Passed { ranked, time: start.elapsed() })
        })
    }

    fn export(&mut self, id: SequenceId) -> Result<Snapshot, DeviceError> {
        self.call(move |held| held.export(id))
    }

    fn import(&mut self, id: SequenceId, snapshot: &Snapshot) -> Result<(), DeviceError> {
        let snapshot = snapshot.clone();
        self.call(move |held| held.import(id, &snapshot))
    }
}
