//! A card behind its driver as the card of a model.

use crate::{
    Error,
    card::{Card, state_range},
};
use terntable_driver::{card as driver, transfer::Transfer};
use terntable_golden::card::config::CardConfig;

type Progress = Box<dyn FnMut(u64, u64)>;

/// A card behind a bus.
pub struct BusCard {
    transfer: Transfer,
    config: CardConfig,
    state_bytes: usize,
    progress: Progress,
}

impl BusCard {
    /// A card that is open; its configuration.
    pub fn new(
        card: driver::Card,
        config: CardConfig,
        progress: impl FnMut(u64, u64) + 'static,
    ) -> Self {
        let transfer = Transfer::new(card);
        Self { transfer, config, state_bytes: 0, progress: Box::new(progress) }
    }

    /// The name of its configuration.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Its driver.
    pub fn driver(&mut self) -> &mut driver::Card {
        self.transfer.card()
    }

    /// Resets the function. What is in its memory is not to be trusted: load again.
    pub fn reset(&mut self) -> Result<(), Error> {
        Ok(self.transfer.card().reset()?)
    }

    fn beat(&self) -> usize {
        self.config.beat_bytes()
    }
}

impl Card for BusCard {
    fn config(&self) -> &CardConfig {
        &self.config
    }

    fn load(&mut self, image: &[u8], state_bytes: u64) -> Result<(), Error> {
        self.state_bytes = state_bytes as usize;
        let (all, progress) = (image.len() as u64, &mut self.progress);
        Ok(self.transfer.load(image, state_bytes, &mut |arrived| progress(arrived, all))?)
    }

    fn write_state(&mut self, address: u64, bytes: &[u8]) -> Result<(), Error> {
        state_range(address, bytes.len(), self.state_bytes)?;
        let whole = bytes.len().next_multiple_of(self.beat());
        if whole == bytes.len() {
            return Ok(self.transfer.write(address, bytes)?);
        }
        // The rest of the last beat stays as it is.
        let mut beats = vec![0; whole];
        self.transfer.read(address, &mut beats)?;
        beats[..bytes.len()].copy_from_slice(bytes);
        Ok(self.transfer.write(address, &beats)?)
    }

    fn read_state(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Error> {
        state_range(address, bytes.len(), self.state_bytes)?;
        let mut beats = vec![0; bytes.len().next_multiple_of(self.beat())];
        self.transfer.read(address, &mut beats)?;
        bytes.copy_from_slice(&beats[..bytes.len()]);
        Ok(())
    }

    fn bring(&mut self, address: u64, bytes: usize) {
        self.transfer.bring(address, bytes.next_multiple_of(self.beat()));
    }

    fn run_pass(&mut self, descriptor: u64) -> Result<(), Error> {
        Ok(self.transfer.pass(descriptor)?)
    }
}
