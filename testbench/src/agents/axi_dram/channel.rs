//! One DRAM channel: ports with their buffers, a controller that picks accesses, banks, and the
//! data bus. Times in femtoseconds; what is decided in a cycle only depends on what came before.

use super::{schedule::DramCounts, timing::DramModel};
use std::collections::VecDeque;

/// Accesses of a port that the controller looks at to open rows ahead.
const WINDOW: usize = 12;

/// Accesses of a port, and of the write queue, that the controller picks from.
const PICK: usize = 4;
const WRITE_PICK: usize = 8;

#[derive(Debug, Clone, Copy)]
struct Access {
    /// When the controller has it.
    arrival: u64,
    /// Its number among the reads of its port.
    number: u64,
    row: u32,
    bank: u8,
    group: u8,
    /// The last one of its burst.
    last: bool,
    bytes: u32,
}

#[derive(Default)]
struct Port {
    /// Requests that wait for the controller or for room: address, bytes.
    queued: VecDeque<(u64, u32)>,
    /// Bytes to be delivered of each request that the controller has.
    issued: VecDeque<u32>,
    accesses: VecDeque<Access>,
    /// Accesses whose data were not handed on, in order: the cycle in which they can be, bytes.
    coming: VecDeque<(u64, u32)>,
    /// The number of the first of them.
    first: u64,
    available: u32,
    read_room: usize,
    /// Write data on their way into the controller's queue.
    writes: VecDeque<Access>,
    write_bursts: usize,
    write_room: usize,
    responses: VecDeque<u64>,
    controller: usize,
    served: u64,
}

#[derive(Clone, Copy)]
struct Bank {
    row: Option<u32>,
    /// When a column command can come.
    column: u64,
    /// When a precharge can come.
    precharge: u64,
    activated: u64,
}

/// A channel and its ports.
pub(super) struct Channel {
    model: DramModel,
    port_bytes: u32,
    period: u64,
    ports: Vec<Port>,
    banks: Vec<Bank>,
    writes: VecDeque<Access>,
    writing: bool,
    batch: usize,
    bus_free: u64,
    last_start: u64,
    last_group: u8,
    last_write: bool,
    /// The last four activates, oldest first.
    activates: [u64; 4],
    next_refresh: u64,
    controller_free: [u64; 8],
    controller_served: [u64; 8],
    served: u64,
    pub counts: DramCounts,
}

impl Channel {
    pub fn new(model: DramModel, ports: &[usize], port_bytes: u32, period: u64, seed: u64) -> Self {
        let port = |&index: &usize| Port {
            read_room: model.read_buffer,
            write_room: model.write_buffer,
            controller: usize::from(model.controller_ports[index % 8]),
            ..Port::default()
        };
        let bank = Bank { row: None, column: 0, precharge: 0, activated: 0 };
        Channel {
            model,
            port_bytes,
            period,
            ports: ports.iter().map(port).collect(),
            banks: vec![bank; model.banks as usize],
            writes: VecDeque::new(),
            writing: false,
            batch: 0,
            bus_free: 0,
            last_start: 0,
            last_group: u8::MAX,
            last_write: false,
            activates: [0; 4],
            // The phase of the refresh is the memory's own affair.
            next_refresh: seed % model.refresh_interval,
            controller_free: [0; 8],
            controller_served: [0; 8],
            served: 0,
            counts: DramCounts::default(),
        }
    }

    pub fn accepts_read(&self, port: usize) -> bool {
        self.ports[port].queued.len() < self.model.command_queue
    }

    pub fn read(&mut self, port: usize, address: u64, transfers: u32) {
        self.ports[port].queued.push_back((address, transfers * self.port_bytes));
    }

    pub fn accepts_write(&self, port: usize) -> bool {
        self.ports[port].write_bursts < self.model.command_queue
    }

    pub fn accepts_data(&self, port: usize) -> bool {
        self.ports[port].write_room >= self.port_bytes as usize
    }

    pub fn take_data(&mut self, port: usize) {
        let port = &mut self.ports[port];
        port.write_room -= self.port_bytes as usize;
    }

    pub fn write(&mut self, port: usize, now: u64, address: u64, transfers: u32) {
        let arrival = now * self.period + self.model.request_path;
        let bytes = transfers * self.port_bytes;
        let target = &mut self.ports[port];
        target.write_bursts += 1;
        split(&self.model, address, bytes, arrival, 0, &mut target.writes);
    }

    pub fn deliver(&mut self, port: usize) -> bool {
        let port = &mut self.ports[port];
        if port.available < self.port_bytes {
            return false;
        }
        port.available -= self.port_bytes;
        port.read_room += self.port_bytes as usize;
        if let Some(left) = port.issued.front_mut() {
            *left -= self.port_bytes;
            if *left == 0 {
                port.issued.pop_front();
            }
        }
        true
    }

    pub fn respond(&mut self, port: usize, now: u64) -> bool {
        let port = &mut self.ports[port];
        let due = port.responses.front().is_some_and(|&due| due <= now + 1);
        if due {
            port.responses.pop_front();
        }
        due
    }

    pub fn idle(&self) -> bool {
        self.writes.is_empty()
            && self.ports.iter().all(|p| {
                p.issued.is_empty()
                    && p.queued.is_empty()
                    && p.writes.is_empty()
                    && p.responses.is_empty()
            })
    }

    pub fn step(&mut self, now: u64) {
        let (time, end) = (now * self.period, (now + 1) * self.period);
        self.feed(now, time);
        let reads = self.ports.iter().any(|p| !p.accesses.is_empty());
        if reads || !self.writes.is_empty() {
            self.run(time, end);
        }
        for port in &mut self.ports {
            while let Some(&(cycle, bytes)) = port.coming.front()
                && cycle <= now + 1
            {
                port.coming.pop_front();
                port.first += 1;
                port.available += bytes;
            }
        }
    }

    /// Requests and write data go to the controller as far as it has room.
    fn feed(&mut self, now: u64, time: u64) {
        let arrival = time + self.model.request_path;
        for port in &mut self.ports {
            while let Some(&(address, bytes)) = port.queued.front()
                && port.issued.len() < self.model.issued
                && port.read_room >= bytes as usize
            {
                port.queued.pop_front();
                port.read_room -= bytes as usize;
                port.issued.push_back(bytes);
                let number = port.first + port.coming.len() as u64;
                let before = port.accesses.len();
                split(&self.model, address, bytes, arrival, number, &mut port.accesses);
                let new = port.accesses.iter().skip(before).map(|a| (u64::MAX, a.bytes));
                port.coming.extend(new);
            }
            while self.writes.len() < self.model.write_queue
                && let Some(&access) = port.writes.front()
                && access.arrival <= time
            {
                port.writes.pop_front();
                port.write_room += access.bytes as usize;
                self.writes.push_back(access);
                if access.last {
                    port.write_bursts -= 1;
                    let due = now + self.model.response_path.div_ceil(self.period);
                    port.responses.push_back(due.max(now + 1));
                }
            }
        }
    }

    /// Schedules accesses whose commands come before `end`.
    fn run(&mut self, time: u64, end: u64) {
        self.refresh(time, end);
        let reads = self.ports.iter().any(|p| !p.accesses.is_empty());
        let full = self.writes.len() >= self.model.write_queue / 2;
        if !self.writing && (full || !reads) && !self.writes.is_empty() {
            self.writing = true;
            self.batch = 0;
        }
        if self.writing {
            self.open_for_writes(time);
        } else {
            self.open_for_reads(time);
        }
        loop {
            let done = if self.writing { self.write_one(end) } else { self.read_one(end) };
            if !done {
                break;
            }
            let over = self.batch >= self.model.write_batch
                && self.ports.iter().any(|p| !p.accesses.is_empty());
            if self.writing && (self.writes.is_empty() || over) {
                self.writing = false;
                break;
            }
        }
    }

    fn refresh(&mut self, time: u64, end: u64) {
        let model = &self.model;
        if self.next_refresh + model.refresh < time {
            // Those in which nobody asked.
            let missed = (time - self.next_refresh - model.refresh) / model.refresh_interval + 1;
            self.next_refresh += missed * model.refresh_interval;
            self.banks.iter_mut().for_each(|b| b.row = None);
        }
        if self.next_refresh <= end {
            let start = self.next_refresh.max(self.bus_free);
            self.bus_free = start + model.refresh;
            self.next_refresh += model.refresh_interval;
            self.counts.refreshes += 1;
            for bank in &mut self.banks {
                (bank.row, bank.precharge) = (None, self.bus_free);
            }
        }
    }

    /// Opens the rows that reads want, the first of every port before those behind them; a row that
    /// is still wanted stays.
    fn open_for_reads(&mut self, time: u64) {
        let (mut front_hits, mut wanted) = (0_u32, 0_u32);
        for access in self.ports.iter().filter_map(|p| p.accesses.front()) {
            wanted |= 1 << access.bank;
            if self.banks[usize::from(access.bank)].row == Some(access.row) {
                front_hits |= 1 << access.bank;
            }
        }
        for port in 0..self.ports.len() {
            if let Some(&access) = self.ports[port].accesses.front()
                && front_hits >> access.bank & 1 == 0
            {
                front_hits |= 1 << access.bank;
                self.open(access, time);
            }
        }
        // Behind the first: each port's first wish for a bank that no front wants.
        let mut hits = wanted;
        let mut wishes = [Access::NONE; 32];
        let mut missing = 0_u32;
        for port in &self.ports {
            let mut seen = 0_u32;
            for &access in port.accesses.iter().take(WINDOW).skip(1) {
                let bit = 1 << access.bank;
                if seen & bit != 0 {
                    continue;
                }
                seen |= bit;
                if self.banks[usize::from(access.bank)].row == Some(access.row) {
                    hits |= bit;
                } else if missing & bit == 0 {
                    missing |= bit;
                    wishes[usize::from(access.bank)] = access;
                }
            }
        }
        let mut open = missing & !hits;
        while open != 0 {
            self.open(wishes[open.trailing_zeros() as usize], time);
            open &= open - 1;
        }
    }

    fn open_for_writes(&mut self, time: u64) {
        let mut hits = 0_u32;
        let window = self.writes.len().min(WRITE_PICK);
        for access in self.writes.iter().take(window) {
            if self.banks[usize::from(access.bank)].row == Some(access.row) {
                hits |= 1 << access.bank;
            }
        }
        for i in 0..window {
            let access = self.writes[i];
            if hits >> access.bank & 1 == 0 {
                hits |= 1 << access.bank;
                self.open(access, time);
            }
        }
    }

    fn open(&mut self, access: Access, time: u64) {
        let model = &self.model;
        let bank = &mut self.banks[usize::from(access.bank)];
        let closed = if bank.row.is_some() {
            (bank.precharge + model.precharge).max(bank.activated + model.active + model.precharge)
        } else {
            bank.precharge
        };
        let at = closed
            .max(time)
            .max(access.arrival)
            .max(self.activates[3] + model.activate_gap)
            .max(self.activates[0] + model.four_activates);
        bank.row = Some(access.row);
        bank.activated = at;
        bank.column = at + model.activate;
        bank.precharge = at + model.active;
        self.activates.rotate_left(1);
        self.activates[3] = at;
        self.counts.activates += 1;
    }

    /// When the data of an access could start, if its row is open.
    #[inline]
    fn start(&self, access: &Access, write: bool) -> Option<u64> {
        let model = &self.model;
        let bank = &self.banks[usize::from(access.bank)];
        if bank.row != Some(access.row) {
            return None;
        }
        let turn = match (self.last_write, write) {
            (false, true) => model.read_to_write,
            (true, false) => model.write_to_read,
            _ => 0,
        };
        let mut start = (self.bus_free + turn).max(access.arrival.max(bank.column) + model.column);
        if access.group == self.last_group {
            start = start.max(self.last_start + model.same_group);
        }
        Some(start)
    }

    fn read_one(&mut self, end: u64) -> bool {
        let mut best = (u64::MAX, u64::MAX, u64::MAX, usize::MAX, 0);
        for (index, port) in self.ports.iter().enumerate() {
            for (place, access) in port.accesses.iter().take(PICK).enumerate() {
                let Some(start) = self.start(access, false) else { continue };
                let served = self.controller_served[port.controller];
                best = best.min((start, served, port.served, index, place));
            }
        }
        let (start, _, _, index, place) = best;
        if index == usize::MAX || start > end + self.model.column {
            return false;
        }
        let port = &mut self.ports[index];
        let Some(access) = port.accesses.remove(place) else { return false };
        self.served += 1;
        port.served = self.served;
        self.controller_served[port.controller] = self.served;
        // What the DRAM delivers goes through the controller's port, one access after the other.
        let through = (start + self.model.access).max(self.controller_free[port.controller]);
        self.controller_free[port.controller] = through + self.model.controller_access;
        let ready = (through + self.model.response_path).div_ceil(self.period);
        if let Some(slot) = port.coming.get_mut((access.number - port.first) as usize) {
            slot.0 = ready;
        }
        let bank = &mut self.banks[usize::from(access.bank)];
        let precharge = start - self.model.column + self.model.read_to_precharge;
        bank.precharge = bank.precharge.max(precharge);
        self.moved(start, &access, false);
        true
    }

    fn write_one(&mut self, end: u64) -> bool {
        let window = self.writes.iter().take(WRITE_PICK).enumerate();
        let best = window.filter_map(|(i, a)| Some((self.start(a, true)?, i))).min();
        let Some((start, index)) = best.filter(|(start, _)| *start <= end + self.model.column)
        else {
            return false;
        };
        let Some(access) = self.writes.remove(index) else { return false };
        self.batch += 1;
        let bank = &mut self.banks[usize::from(access.bank)];
        let precharge = start + self.model.access + self.model.write_recovery;
        bank.precharge = bank.precharge.max(precharge);
        self.moved(start, &access, true);
        true
    }

    fn moved(&mut self, start: u64, access: &Access, write: bool) {
        self.bus_free = start + self.model.access;
        (self.last_start, self.last_group) = (start, access.group);
        if write != self.last_write {
            self.counts.turnarounds += 1;
        }
        self.last_write = write;
        if write {
            self.counts.writes += 1;
        } else {
            self.counts.reads += 1;
        }
    }
}

impl Access {
    const NONE: Access =
        Access { arrival: 0, number: 0, row: 0, bank: 0, group: 0, last: false, bytes: 0 };
}

/// The accesses of a burst: those DRAM bursts that it touches.
fn split(
    model: &DramModel,
    address: u64,
    bytes: u32,
    arrival: u64,
    mut number: u64,
    to: &mut VecDeque<Access>,
) {
    let size = u64::from(model.access_bytes);
    let (end, mut at) = (address + u64::from(bytes), address);
    while at < end {
        let next = (at / size + 1) * size;
        let group = (at / size) as u32 & (model.groups - 1);
        let stripe = at / u64::from(model.row_bytes * model.groups);
        let banks = u64::from(model.banks / model.groups);
        to.push_back(Access {
            arrival,
            number,
            row: (stripe / banks) as u32,
            bank: (group + (stripe % banks) as u32 * model.groups) as u8,
            group: group as u8,
            last: next >= end,
            bytes: (next.min(end) - at) as u32,
        });
        at = next;
        number += 1;
    }
}
