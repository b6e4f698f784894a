//! When a memory takes requests and data and when it answers: the timing models, without bytes and
//! without signals, so that they can also be driven by themselves.

use super::{
    channel::Channel,
    timing::{DramModel, DramTiming},
};
use crate::{agents::MemoryTiming, seed::Random};
use std::collections::VecDeque;

/// The timing of all ports of a memory.
pub(super) enum Schedule {
    /// Ports by themselves.
    Ideal { ports: Vec<IdealPort>, timing: MemoryTiming, random: Random },
    /// DRAM channels, and the channel and place in it of every port. With a channel a port each has
    /// only its own parts of the blocks, one after the other: bytes of a block and of a part.
    Dram { channels: Vec<Channel>, places: Vec<(usize, usize)>, stripe: Option<(u64, u64)> },
}

/// Transfers of writes that an ideal port takes ahead of their answer.
const IDEAL_WRITES: usize = 256;

#[derive(Default)]
pub(super) struct IdealPort {
    /// Cycle of the first transfer, transfers to come.
    reads: VecDeque<(u64, u32)>,
    responses: VecDeque<u64>,
    writing: usize,
    able: bool,
}

/// What a DRAM has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DramCounts {
    /// Accesses that read.
    pub reads: u64,
    /// Accesses that wrote.
    pub writes: u64,
    /// Rows opened.
    pub activates: u64,
    /// Changes between reading and writing.
    pub turnarounds: u64,
    /// Refreshes that requests had to wait for.
    pub refreshes: u64,
}

impl Schedule {
    pub fn new(
        timing: &DramTiming,
        ports: usize,
        port_bytes: usize,
        period: u64,
        mut random: Random,
    ) -> Self {
        match *timing {
            DramTiming::Ideal(timing) => {
                let ports = (0..ports).map(|_| IdealPort::default()).collect();
                Schedule::Ideal { ports, timing, random }
            }
            DramTiming::Dram(model) => {
                let mut channel = |ports: Vec<usize>| {
                    Channel::new(model, &ports, port_bytes as u32, period, random.bits())
                };
                if model.channel_a_port {
                    let channels = (0..ports).map(|p| channel(vec![p])).collect();
                    let part = 16 * port_bytes as u64;
                    let stripe = Some((part * ports as u64, part));
                    let places = (0..ports).map(|p| (p, 0)).collect();
                    Schedule::Dram { channels, places, stripe }
                } else {
                    let channels = vec![channel((0..ports).collect())];
                    let places = (0..ports).map(|p| (0, p)).collect();
                    Schedule::Dram { channels, places, stripe: None }
                }
            }
        }
    }

    /// Whether a read request may come in the next cycle.
    pub fn accepts_read(&mut self, port: usize) -> bool {
        match self {
            Schedule::Ideal { ports, timing, random } => {
                ports[port].reads.len() < timing.outstanding && !random.chance(timing.request_stall)
            }
            Schedule::Dram { channels, places, .. } => {
                let (channel, port) = places[port];
                channels[channel].accepts_read(port)
            }
        }
    }

    /// A read request is taken at this edge.
    pub fn read(&mut self, port: usize, now: u64, address: u64, transfers: u32) {
        match self {
            Schedule::Ideal { ports, timing, .. } => {
                let ready = now + u64::from(timing.latency.max(1));
                ports[port].reads.push_back((ready, transfers));
            }
            Schedule::Dram { channels, places, stripe } => {
                let (channel, port) = places[port];
                channels[channel].read(port, own(*stripe, address), transfers);
            }
        }
    }

    /// Whether a write request may come in the next cycle.
    pub fn accepts_write(&mut self, port: usize) -> bool {
        match self {
            Schedule::Ideal { ports, timing, random } => {
                ports[port].responses.len() < timing.outstanding
                    && !random.chance(timing.request_stall)
            }
            Schedule::Dram { channels, places, .. } => {
                let (channel, port) = places[port];
                channels[channel].accepts_write(port)
            }
        }
    }

    /// Whether a transfer of write data may come in the next cycle.
    pub fn accepts_data(&mut self, port: usize) -> bool {
        match self {
            Schedule::Ideal { ports, timing, random } => {
                ports[port].writing < IDEAL_WRITES && !random.chance(timing.stall)
            }
            Schedule::Dram { channels, places, .. } => {
                let (channel, port) = places[port];
                channels[channel].accepts_data(port)
            }
        }
    }

    /// A transfer of write data is taken at this edge.
    pub fn take_data(&mut self, port: usize) {
        match self {
            Schedule::Ideal { ports, .. } => ports[port].writing += 1,
            Schedule::Dram { channels, places, .. } => {
                let (channel, port) = places[port];
                channels[channel].take_data(port);
            }
        }
    }

    /// A write request and all its data are there.
    pub fn write(&mut self, port: usize, now: u64, address: u64, transfers: u32) {
        match self {
            Schedule::Ideal { ports, timing, .. } => {
                let port = &mut ports[port];
                port.writing -= transfers as usize;
                port.responses.push_back(now + u64::from(timing.latency.max(1)));
            }
            Schedule::Dram { channels, places, stripe } => {
                let (channel, port) = places[port];
                channels[channel].write(port, now, own(*stripe, address), transfers);
            }
        }
    }

    /// Decides what happens up to the end of the cycle that follows the edge `now`.
    pub fn step(&mut self, now: u64) {
        match self {
            Schedule::Ideal { ports, timing, random } => {
                let refreshing = timing.refresh.is_some_and(|r| {
                    (now + 1) % u64::from(r.interval.max(1)) < u64::from(r.cycles)
                });
                for port in ports {
                    port.able = !refreshing && !random.chance(timing.stall);
                }
            }
            Schedule::Dram { channels, .. } => channels.iter_mut().for_each(|c| c.step(now)),
        }
    }

    /// Takes a transfer of the oldest read for the cycle after `now`, if it is there.
    pub fn deliver(&mut self, port: usize, now: u64) -> bool {
        match self {
            Schedule::Ideal { ports, .. } => {
                let port = &mut ports[port];
                let Some((ready, left)) = port.reads.front_mut() else { return false };
                if !port.able || *ready > now + 1 {
                    return false;
                }
                *left -= 1;
                if *left == 0 {
                    port.reads.pop_front();
                }
                true
            }
            Schedule::Dram { channels, places, .. } => {
                let (channel, port) = places[port];
                channels[channel].deliver(port)
            }
        }
    }

    /// Takes the response of the oldest write for the cycle after `now`, if it is due.
    pub fn respond(&mut self, port: usize, now: u64) -> bool {
        match self {
            Schedule::Ideal { ports, .. } => {
                let port = &mut ports[port];
                let due = port.able && port.responses.front().is_some_and(|&due| due <= now + 1);
                if due {
                    port.responses.pop_front();
                }
                due
            }
            Schedule::Dram { channels, places, .. } => {
                let (channel, port) = places[port];
                channels[channel].respond(port, now)
            }
        }
    }

    /// Nothing is under way: no step needs to be made until the next request.
    pub fn idle(&self) -> bool {
        match self {
            Schedule::Ideal { ports, .. } => {
                ports.iter().all(|p| p.reads.is_empty() && p.responses.is_empty())
            }
            Schedule::Dram { channels, .. } => channels.iter().all(Channel::idle),
        }
    }

    pub fn counts(&self) -> DramCounts {
        let mut sum = DramCounts::default();
        if let Schedule::Dram { channels, .. } = self {
            for DramCounts { reads, writes, activates, turnarounds, refreshes } in
                channels.iter().map(|c| c.counts)
            {
                sum.reads += reads;
                sum.writes += writes;
                sum.activates += activates;
                sum.turnarounds += turnarounds;
                sum.refreshes += refreshes;
            }
        }
        sum
    }
}

/// An address in the port's own channel.
fn own(stripe: Option<(u64, u64)>, address: u64) -> u64 {
    match stripe {
        Some((block, part)) => address / block * part + address % part,
        None => address,
    }
}

/// What a reader got that reads memory from front to end, does nothing else and always asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BareReader {
    /// Beats it read: transfers of all ports.
    pub beats: u64,
    /// From its first request to its last beat.
    pub cycles: u64,
}

impl BareReader {
    /// Beats a cycle.
    pub fn rate(&self) -> f64 {
        self.beats as f64 / self.cycles.max(1) as f64
    }
}

/// Beats that a bare reader has room for: requested and not taken out of the buffers of all ports.
pub const BARE_DEPTH: u64 = 256;

/// Reads `beats` beats in bursts of 16 from address 0 on all ports at once, asking as early as the
/// memory takes requests and [`BARE_DEPTH`] allows.
pub fn bare_reader(
    timing: &DramTiming,
    ports: usize,
    port_bytes: usize,
    period_ps: u64,
    beats: u64,
    seed: u64,
) -> BareReader {
    pattern(timing, ports, port_bytes, period_ps, beats, seed, |burst, port| {
        (burst * ports as u64 + port as u64) * 16 * port_bytes as u64
    })
}

/// The same for any pattern of bursts: the physical address of burst `n` on a port.
pub fn pattern(
    timing: &DramTiming,
    ports: usize,
    port_bytes: usize,
    period_ps: u64,
    beats: u64,
    seed: u64,
    address: impl Fn(u64, usize) -> u64,
) -> BareReader {
    let mut schedule =
        Schedule::new(timing, ports, port_bytes, period_ps * 1000, Random::new(seed, "bare"));
    let bursts = beats.div_ceil(16);
    let mut asked = vec![0; ports];
    let mut got = vec![0; ports];
    let mut now = 0;
    while got.iter().any(|&n| n < bursts * 16) {
        let taken = got.iter().copied().min().unwrap_or_default();
        for (port, asked) in asked.iter_mut().enumerate() {
            let room = (*asked + 1) * 16 <= taken + BARE_DEPTH;
            if room && *asked < bursts && schedule.accepts_read(port) {
                schedule.read(port, now, address(*asked, port), 16);
                *asked += 1;
            }
        }
        schedule.step(now);
        for (port, got) in got.iter_mut().enumerate() {
            *got += u64::from(schedule.deliver(port, now));
        }
        now += 1;
    }
    BareReader { beats: bursts * 16, cycles: now }
}

impl DramTiming {
    /// Peak of the memory in beats a cycle: of the ports, or of the DRAM if that is less.
    pub fn peak_rate(&self, ports: usize, port_bytes: usize, period_ps: u64) -> f64 {
        let bytes_a_beat = (ports * port_bytes) as f64;
        match self {
            DramTiming::Ideal(_) => 1.0,
            DramTiming::Dram(model) => peak(model, ports, period_ps) / bytes_a_beat,
        }
        .min(1.0)
    }
}

fn peak(model: &DramModel, ports: usize, period_ps: u64) -> f64 {
    let channels = if model.channel_a_port { ports } else { 1 };
    model.peak() * channels as f64 * period_ps as f64 * 1e-12
}
