//! A card on this machine's PCI bus, through the kernel's VFIO.
//!
//! The layer over the kernel is our own, on the crate `vfio-bindings`: of what a driver needs, `vfio-ioctls`
//! (0.10) does not show the ranges of addresses and swallows errors of region accesses.
#![allow(unsafe_code)]

mod ioctl;

use crate::{
    Error,
    card::BAR_BYTES,
    doctor::{Level, Machine},
    events::{Events, Woken},
    memory::{DmaMemory, HUGE_PAGE, Mapping, PAGE},
    transport::Transport,
};
use ioctl::Container;
use std::{io, os::unix::fs::FileExt, sync::Arc, time::Duration};
use vfio_bindings::bindings::vfio::{
    VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_MSIX_IRQ_INDEX,
    VFIO_REGION_INFO_FLAG_MMAP,
};

/// Where mappings go if they may: beyond what 32 bits reach, so that an address cut short is noticed.
const PREFERRED_IOVA: u64 = 1 << 33;
/// Memory accesses and bus mastering; no INTx.
const COMMAND: [u8; 2] = [0x06, 0x04];

/// A function bound to vfio-pci.
pub struct Vfio {
    name: String,
    /// Dropped first: then nothing is mapped for the card any more.
    container: Container,
    registers: Arc<Mapping>,
    events: Events,
    ranges: Vec<(u64, u64)>,
    mapped: Vec<DmaMemory>,
}

impl Vfio {
    /// Opens a function by its address, as in `0000:01:00.0`.
    pub fn open(bdf: &str) -> Result<Self, Error> {
        let name = format!("vfio:{bdf}");
        let machine = Machine::default();
        let findings = machine.examine_card(bdf);
        if let Some(broken) = findings.iter().find(|finding| finding.level == Level::Broken) {
            let remedy = broken.remedy.as_deref().unwrap_or("see `terntable doctor`");
            return Err(Error::Refused(format!("{name}: {}; {remedy}", broken.text)));
        }
        let group = machine.cards().into_iter().find(|card| card.bdf == bdf);
        let group = group.and_then(|card| card.group).ok_or_else(|| {
            Error::Refused(format!("{name} is no Terntable card; `terntable devices` lists them"))
        })?;
        let failed = |what: &str| Error::io(format!("{name}: {what}"));
        let container = Container::open(&group, bdf).map_err(failed("opening the function"))?;
        let bar = container.region(VFIO_PCI_BAR0_REGION_INDEX).map_err(failed("finding BAR0"))?;
        if bar.size < BAR_BYTES as u64 || bar.flags & VFIO_REGION_INFO_FLAG_MMAP == 0 {
            return Err(Error::Identity {
                at: name,
                what: "BAR0",
                found: format!("{} bytes, flags {:#x}", bar.size, bar.flags),
                expected: format!("{BAR_BYTES} bytes that can be mapped"),
                remedy: "this is no Terntable card, or one of another version",
            });
        }
        let registers = Mapping::of_file(&container.device, bar.offset, BAR_BYTES, true)
            .map_err(failed("mapping BAR0"))?;
        let ranges = container.ranges().map_err(failed("asking for the IOMMU's addresses"))?;
        let events = Events::new()?;
        let function = Self { name, container, registers, events, ranges, mapped: Vec::new() };
        function.enable()?;
        let files = function.events.files();
        let set = function.container.set_interrupts(VFIO_PCI_MSIX_IRQ_INDEX, files);
        set.map_err(|e| function.failed("asking for interrupts", e))?;
        Ok(function)
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        Error::io(format!("{}: {what}", self.name))(error)
    }

    /// Lets the function answer and reach memory.
    fn enable(&self) -> Result<(), Error> {
        let config = self.container.region(VFIO_PCI_CONFIG_REGION_INDEX);
        let written = config
            .and_then(|config| self.container.device.write_all_at(&COMMAND, config.offset + 4));
        written.map_err(|e| self.failed("enabling the function", e))
    }

    /// A free range of addresses.
    fn place(&self, bytes: u64) -> Result<u64, Error> {
        let taken = |at: u64| {
            let meets = |memory: &&DmaMemory| {
                at < memory.iova + memory.mapping.bytes() as u64 && memory.iova < at + bytes
            };
            self.mapped.iter().find(meets).map(|memory| memory.iova + memory.mapping.bytes() as u64)
        };
        let in_range = |from: u64, &(first, last): &(u64, u64)| {
            let mut at = first.max(from).next_multiple_of(HUGE_PAGE as u64);
            while let Some(end) = taken(at) {
                at = end.next_multiple_of(HUGE_PAGE as u64);
            }
            at.checked_add(bytes - 1).filter(|end| *end <= last).map(|_| at)
        };
        let find = |from| self.ranges.iter().find_map(|range| in_range(from, range));
        find(PREFERRED_IOVA).or_else(|| find(PAGE as u64)).ok_or_else(|| {
            Error::Refused(format!(
                "{}: {bytes} bytes fit none of the IOMMU's ranges {:x?}",
                self.name, self.ranges
            ))
        })
    }
}

/// Memory of huge pages if there are some, else of small ones.
fn memory(bytes: usize) -> io::Result<Arc<Mapping>> {
    match bytes.is_multiple_of(HUGE_PAGE) {
        true => Mapping::anonymous(bytes, true).or_else(|_| Mapping::anonymous(bytes, false)),
        false => Mapping::anonymous(bytes, false),
    }
}

impl Transport for Vfio {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn read32(&mut self, offset: usize) -> Result<u32, Error> {
        self.registers.read_register(offset).map_err(|e| self.failed("reading a register", e))
    }

    fn write32(&mut self, offset: usize, value: u32) -> Result<(), Error> {
        let written = self.registers.write_register(offset, value);
        written.map_err(|e| self.failed("writing a register", e))
    }

    fn map(&mut self, bytes: usize) -> Result<DmaMemory, Error> {
        let mapping = memory(bytes).map_err(|e| self.failed("making memory to share", e))?;
        let iova = self.place(bytes as u64)?;
        let memory = DmaMemory { mapping, iova };
        // SAFETY: `mapped` keeps the memory until it is unmapped or the container is gone.
        let mapped = unsafe { self.container.map(iova, memory.mapping.address(), bytes as u64) };
        mapped.map_err(|e| match e.raw_os_error() {
            Some(libc::ENOMEM) => Error::Refused(format!(
                "{}: {bytes} bytes may not be locked; raise the limit: ulimit -l unlimited",
                self.name
            )),
            _ => self.failed("mapping memory for the card", e),
        })?;
        self.mapped.push(memory.clone());
        Ok(memory)
    }

    fn unmap(&mut self, memory: &DmaMemory) -> Result<(), Error> {
        let unmapped = self.container.unmap(memory.iova, memory.mapping.bytes() as u64);
        unmapped.map_err(|e| self.failed("unmapping memory", e))?;
        self.mapped.retain(|mapped| mapped.iova != memory.iova);
        Ok(())
    }

    fn wait(&mut self, at_most: Duration) -> Result<bool, Error> {
        Ok(matches!(self.events.wait(at_most, None)?, Woken::Interrupt))
    }

    fn reset(&mut self) -> Result<(), Error> {
        self.container.reset().map_err(|e| self.failed("resetting the function", e))?;
        self.enable()
    }
}
