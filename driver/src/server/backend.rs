//! What a client of the socket can ask for.

use super::worker::{Request, Worker};
use crate::{
    card::BAR_BYTES,
    golden::VECTORS,
    memory::Mapping,
    pci::{CONFIG_BYTES, ConfigSpace, MSIX_BYTES},
};
use std::{fs::File, io, ops::Range};
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_SET_DATA_EVENTFD, VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_BAR2_REGION_INDEX,
    VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_MSIX_IRQ_INDEX,
};
use vfio_user::{DmaMapFlags, DmaUnmapFlags, ServerBackend};

/// The function as a client sees it.
pub(super) struct Backend {
    worker: Worker,
    config: ConfigSpace,
    /// Table and pending bits, for clients that look; who delivers messages keeps a table of its own.
    msix: Vec<u8>,
}

impl Backend {
    pub fn new(worker: Worker) -> Self {
        let config = ConfigSpace::new(VECTORS as u16);
        Self { worker, config, msix: vec![0; MSIX_BYTES as usize] }
    }

    /// Whatever the client mapped and asked for goes with it.
    pub fn client_gone(&mut self) {
        self.worker.shared.memory().clear();
        self.worker.shared.interrupts().fill_with(|| None);
        let _ = self.reset_function();
    }

    fn reset_function(&mut self) -> io::Result<()> {
        self.config = ConfigSpace::new(VECTORS as u16);
        self.msix.fill(0);
        self.worker.ask(Request::Reset).ok_or_else(gone)
    }
}

/// The card's thread has ended.
fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the card is gone")
}

fn refused(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// An access inside of a region.
fn range(offset: u64, bytes: usize, size: usize) -> io::Result<Range<usize>> {
    let from = usize::try_from(offset).ok();
    let range = from.and_then(|from| Some(from..from.checked_add(bytes)?));
    range.filter(|range| range.end <= size).ok_or_else(|| {
        refused(format!("{bytes} bytes at {offset:#x} are outside of a region of {size:#x}"))
    })
}

/// Registers: whole words.
fn words(offset: u64, bytes: usize) -> io::Result<usize> {
    let range = range(offset, bytes, BAR_BYTES)?;
    match range.start.is_multiple_of(4) && bytes.is_multiple_of(4) {
        true => Ok(range.start),
        false => Err(refused(format!("{bytes} bytes at {offset:#x} are not whole registers"))),
    }
}

impl ServerBackend for Backend {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        match region {
            VFIO_PCI_CONFIG_REGION_INDEX => {
                let range = range(offset, data.len(), CONFIG_BYTES)?;
                self.config.read(range.start, data);
            }
            VFIO_PCI_BAR0_REGION_INDEX => {
                let at = words(offset, data.len())?;
                for (i, word) in data.chunks_exact_mut(4).enumerate() {
                    let read = self.worker.ask(|answer| Request::Read(at + 4 * i, answer));
                    word.copy_from_slice(&read.ok_or_else(gone)?.to_le_bytes());
                }
            }
            VFIO_PCI_BAR2_REGION_INDEX => {
                let range = range(offset, data.len(), self.msix.len())?;
                data.copy_from_slice(&self.msix[range]);
            }
            _ => return Err(refused(format!("region {region} has no bytes"))),
        }
        Ok(())
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        match region {
            VFIO_PCI_CONFIG_REGION_INDEX => {
                let range = range(offset, data.len(), CONFIG_BYTES)?;
                // A function level reset comes as a write of configuration space.
                if self.config.write(range.start, data) {
                    self.reset_function()?;
                }
            }
            VFIO_PCI_BAR0_REGION_INDEX => {
                let at = words(offset, data.len())?;
                for (i, word) in data.as_chunks::<4>().0.iter().enumerate() {
                    let value = u32::from_le_bytes(*word);
                    self.worker.write(at + 4 * i, value).ok_or_else(gone)?;
                }
            }
            VFIO_PCI_BAR2_REGION_INDEX => {
                let range = range(offset, data.len(), self.msix.len())?;
                self.msix[range].copy_from_slice(data);
            }
            _ => return Err(refused(format!("region {region} has no bytes"))),
        }
        Ok(())
    }

    fn dma_map(
        &mut self,
        flags: DmaMapFlags,
        offset: u64,
        address: u64,
        size: u64,
        fd: Option<File>,
    ) -> io::Result<()> {
        // Without a file the card cannot reach it, and says so when it is asked to.
        let Some(file) = fd else { return Ok(()) };
        let bytes = usize::try_from(size).map_err(|_| refused(format!("{size} bytes")))?;
        // Beyond the end of its file a mapping would kill who touches it.
        if file.metadata()?.len() < offset.saturating_add(size) {
            return Err(refused(format!("{size:#x} bytes at {offset:#x} end behind their file")));
        }
        let writable = flags.contains(DmaMapFlags::WRITE);
        let mapping = Mapping::of_file(&file, offset, bytes, writable)?;
        self.worker.shared.memory().map(address, mapping, writable)
    }

    fn dma_unmap(&mut self, flags: DmaUnmapFlags, address: u64, size: u64) -> io::Result<()> {
        let mut memory = self.worker.shared.memory();
        match flags.contains(DmaUnmapFlags::UNMAP_ALL) {
            true => memory.clear(),
            false => drop(memory.unmap(address, size)),
        }
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        self.reset_function()
    }

    fn set_irqs(
        &mut self,
        index: u32,
        flags: u32,
        start: u32,
        count: u32,
        fds: Vec<File>,
    ) -> io::Result<()> {
        if index != VFIO_PCI_MSIX_IRQ_INDEX {
            return Ok(());
        }
        let mut interrupts = self.worker.shared.interrupts();
        if count == 0 {
            interrupts.fill_with(|| None);
            return Ok(());
        }
        let vectors = start as usize..start.saturating_add(count) as usize;
        let Some(places) = interrupts.get_mut(vectors) else {
            return Err(refused(format!("vectors from {start}, {count}; there are {VECTORS}")));
        };
        if flags & VFIO_IRQ_SET_DATA_EVENTFD != 0 {
            let mut fds = fds.into_iter();
            places.fill_with(|| fds.next());
        }
        Ok(())
    }
}
