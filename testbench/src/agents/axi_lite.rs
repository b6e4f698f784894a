//! An AXI4-Lite master: registers read and written from a test, every wait bounded.

use super::response_name;
use crate::{
    Error,
    seed::Random,
    sim::{Clock, Handle, Signal},
};
use std::cell::RefCell;

/// The master of one AXI4-Lite port. One access at a time.
pub struct AxiLite {
    clock: Clock,
    name: String,
    aw: [Signal; 2],
    awaddr: Signal,
    w: [Signal; 2],
    wdata: Signal,
    wstrb: Signal,
    b: [Signal; 2],
    bresp: Signal,
    ar: [Signal; 2],
    araddr: Signal,
    r: [Signal; 2],
    rdata: Signal,
    rresp: Signal,
    limit: u64,
    stall: f64,
    random: RefCell<Random>,
}

impl AxiLite {
    /// The master of the ports `<name>_awvalid_i`, `<name>_awready_o`, ... of a slave design.
    pub fn new(sim: &Handle, clock: &Clock, name: &str, seed: u64) -> Result<Self, Error> {
        let input = |part: &str, width| sim.signal(&format!("{name}_{part}_i"))?.input(width);
        let output = |part: &str, width| sim.signal(&format!("{name}_{part}_o"))?.output(width);
        let master = AxiLite {
            clock: clock.clone(),
            name: name.to_owned(),
            aw: [input("awvalid", 1)?, output("awready", 1)?],
            awaddr: input("awaddr", 0)?,
            w: [input("wvalid", 1)?, output("wready", 1)?],
            wdata: input("wdata", 32)?,
            wstrb: input("wstrb", 4)?,
            b: [input("bready", 1)?, output("bvalid", 1)?],
            bresp: output("bresp", 2)?,
            ar: [input("arvalid", 1)?, output("arready", 1)?],
            araddr: input("araddr", 0)?,
            r: [input("rready", 1)?, output("rvalid", 1)?],
            rdata: output("rdata", 32)?,
            rresp: output("rresp", 2)?,
            limit: 1000,
            stall: 0.0,
            random: RefCell::new(Random::new(seed, name)),
        };
        master.idle();
        Ok(master)
    }

    /// Delays every handshake of the master's side with this probability a cycle.
    pub fn set_stall(&mut self, stall: f64) {
        self.stall = stall;
    }

    /// Bounds every wait for a handshake; 1,000 cycles at first.
    pub fn set_limit(&mut self, cycles: u64) {
        self.limit = cycles;
    }

    /// Lets go of everything, for a reset.
    pub fn idle(&self) {
        for signal in [&self.aw[0], &self.w[0], &self.b[0], &self.ar[0], &self.r[0]] {
            signal.set(0);
        }
    }

    /// Writes a register.
    pub async fn write32(&self, address: usize, value: u32) -> Result<(), Error> {
        self.stall().await;
        self.awaddr.set(address as u64);
        self.wdata.set(u64::from(value));
        self.wstrb.set(0xf);
        self.aw[0].set(1);
        self.w[0].set(1);
        // The two channels are independent: either may be taken first.
        let (mut aw, mut w) = (false, false);
        for _ in 0..self.limit {
            self.clock.rising_edge().await;
            if !aw && self.aw[1].high() {
                aw = true;
                self.aw[0].set(0);
            }
            if !w && self.w[1].high() {
                w = true;
                self.w[0].set(0);
            }
            if aw && w {
                break;
            }
        }
        if !(aw && w) {
            let channel = if aw { "wready" } else { "awready" };
            return Err(self.timeout("write", channel, address));
        }
        self.take(&self.b, "write", "bvalid", address).await?;
        self.respond("write", address, self.bresp.get())
    }

    /// Reads a register.
    pub async fn read32(&self, address: usize) -> Result<u32, Error> {
        self.stall().await;
        self.araddr.set(address as u64);
        self.ar[0].set(1);
        self.clock
            .until(self.limit, "", || self.ar[1].high())
            .await
            .map_err(|_| self.timeout("read", "arready", address))?;
        self.ar[0].set(0);
        self.take(&self.r, "read", "rvalid", address).await?;
        let value = self.rdata.get() as u32;
        self.respond("read", address, self.rresp.get())?;
        Ok(value)
    }

    /// Reads a register of 64 bits, low word first.
    pub async fn read64(&self, address: usize) -> Result<u64, Error> {
        let low = self.read32(address).await?;
        let high = self.read32(address + 4).await?;
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    /// Raises ready, perhaps late, and waits for the answer; its payload is there on return.
    async fn take(
        &self,
        [ready, valid]: &[Signal; 2],
        access: &str,
        channel: &str,
        address: usize,
    ) -> Result<(), Error> {
        self.stall().await;
        ready.set(1);
        let answered = self.clock.until(self.limit, "", || valid.high()).await;
        ready.set(0);
        answered.map_err(|_| self.timeout(access, channel, address))
    }

    async fn stall(&self) {
        if self.stall > 0.0 {
            while self.random.borrow_mut().chance(self.stall) {
                self.clock.rising_edge().await;
            }
        }
    }

    fn respond(&self, access: &'static str, address: usize, response: u64) -> Result<(), Error> {
        if response == 0 {
            return Ok(());
        }
        Err(Error::BusResponse { access, address, response: response_name(response) })
    }

    fn timeout(&self, access: &str, channel: &str, address: usize) -> Error {
        Error::Timeout {
            what: format!("{}_{channel} of the {access} at {address:#x}", self.name),
            cycles: self.limit,
            now: self.clock.cycle(),
        }
    }
}
