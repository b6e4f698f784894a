//! What the driver costs: uploads against a memory copy, and the host's own time a pass.
//!
//!     cargo run --release -p terntable --example card_rates
//!
//! Uploads go to the golden card behind a vfio-user socket, CRC-32C on, in turns with a copy of the same bytes by
//! one thread; a ratio is of one turn. A pass is one of the bundled model on the golden card in this process; what
//! its card takes, inside of `wait`, is taken off. Prints one JSON object.

use serde_json::json;
use std::{
    cell::Cell,
    path::Path,
    rc::Rc,
    time::{Duration, Instant},
};
use terntable::{
    bus::BusCard,
    card::{CardModel, Chunk},
    import::Checkpoint,
    pack::{PackOptions, pack_model},
};
use terntable_driver::{
    Card, Error, Transport, Waits, golden::HostCard, in_process::InProcess, memory::DmaMemory,
    server, transfer::Transfer, vfio_user::VfioUser,
};
use terntable_golden::{card::config::CardConfig, head::HeadMode};

const UPLOAD: usize = 256 << 20;
const TURNS: usize = 7;
const PASSES: usize = 200;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let (copy, upload, ratio) = uploads()?;
    let costs = pass_costs()?;
    println!(
        "{}",
        json!({
            "copy_gb_s": copy, "upload_gb_s": upload, "upload_over_copy": ratio,
            "pass_host_us": median(costs.clone()),
            "pass_host_us_p90": percentile(costs, 0.9),
        })
    );
    Ok(())
}

/// Rates in GB/s, and the median of the ratios of a turn.
fn uploads() -> Outcome<(f64, f64, f64)> {
    let folder = std::env::temp_dir().join(format!("terntable-rates-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let socket = folder.join("card");
    let path = socket.clone();
    let kv260 = CardConfig::named("kv260")?;
    std::thread::spawn(move || server::serve(&path, move || Ok(Box::new(HostCard::new(&kv260)))));
    while !socket.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let image: Vec<u8> =
        (0..UPLOAD).map(|i| (i as u32).wrapping_mul(0x9e37_79b1).to_be_bytes()[0]).collect();
    let mut target = vec![1_u8; UPLOAD];
    let mut transfer =
        Transfer::new(Card::open(Box::new(VfioUser::connect(&socket)?), Waits::default())?);
    // Touches every page of the card's memory.
    transfer.load(&image, 0, &mut |_| {})?;
    let (mut copies, mut loads, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let begin = Instant::now();
        target.copy_from_slice(&image);
        std::hint::black_box(&mut target);
        let copy = begin.elapsed();
        let begin = Instant::now();
        transfer.load(&image, 0, &mut |_| {})?;
        let load = begin.elapsed();
        let rate = |time: Duration| UPLOAD as f64 / time.as_secs_f64() / 1e9;
        copies.push(rate(copy));
        loads.push(rate(load));
        ratios.push(rate(load) / rate(copy));
    }
    std::fs::remove_dir_all(&folder)?;
    Ok((median(copies), median(loads), median(ratios)))
}

/// Microseconds of the host in passes of one token.
fn pass_costs() -> Outcome<Vec<f64>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/shakespeare");
    let config = CardConfig::named("sim-small")?;
    let options = PackOptions { pages: Some(64), ..PackOptions::default() };
    let image = pack_model(&Checkpoint::open(&folder)?.model()?, &config, &options, |_, _| {})?;
    let waited = Rc::new(Cell::new(Duration::ZERO));
    let inner = InProcess::new(HostCard::new(&config));
    let timed = Timed { inner, waited: waited.clone() };
    // Polling only.
    let waits = Waits { spin: Duration::from_secs(10), ..Waits::default() };
    let card = BusCard::new(Card::open(Box::new(timed), waits)?, config, |_, _| {});
    let mut model = CardModel::open(card, &image)?;
    let sequence = model.kv().create()?;
    let mut costs = Vec::with_capacity(PASSES);
    for pass in 0..PASSES {
        let (before, begin) = (waited.get(), Instant::now());
        let chunk = Chunk { sequence, tokens: &[pass as u32 % 256], wanted: 1 };
        model.pass(HeadMode::TwoStage, &[chunk])?;
        let own = begin.elapsed() - (waited.get() - before);
        costs.push(own.as_secs_f64() * 1e6);
    }
    Ok(costs)
}

/// Adds up the time that the card takes.
struct Timed {
    inner: InProcess<HostCard>,
    waited: Rc<Cell<Duration>>,
}

impl Transport for Timed {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn read32(&mut self, offset: usize) -> Result<u32, Error> {
        self.inner.read32(offset)
    }

    fn write32(&mut self, offset: usize, value: u32) -> Result<(), Error> {
        self.inner.write32(offset, value)
    }

    fn map(&mut self, bytes: usize) -> Result<DmaMemory, Error> {
        self.inner.map(bytes)
    }

    fn unmap(&mut self, memory: &DmaMemory) -> Result<(), Error> {
        self.inner.unmap(memory)
    }

    fn wait(&mut self, at_most: Duration) -> Result<bool, Error> {
        let begin = Instant::now();
        let woken = self.inner.wait(at_most);
        self.waited.set(self.waited.get() + begin.elapsed());
        woken
    }

    fn reset(&mut self) -> Result<(), Error> {
        self.inner.reset()
    }
}

fn median(values: Vec<f64>) -> f64 {
    percentile(values, 0.5)
}

fn percentile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part) as usize]
}
