//! A card of a SoC, without PCIe: registers, reserved memory and the interrupt's level through UIO
//! (the kernel's Documentation/driver-api/uio-howto.rst). Tried on files only, never on a board: docs/boards.md.
//!
//! The device has two maps: the registers, and memory that the kernel leaves alone and the card reaches.

use crate::{
    Error,
    card::{BAR_BYTES, HOST},
    card_registers as registers, host_registers as host,
    memory::{DmaMemory, Mapping, PAGE},
    transport::Transport,
};
use rustix::event::{PollFd, PollFlags, poll};
use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::Path,
    sync::Arc,
    time::Duration,
};

/// A function of a SoC.
#[derive(Debug)]
pub struct Platform {
    name: String,
    device: File,
    registers: Arc<Mapping>,
    /// Address and bytes of the reserved memory, until it is mapped.
    reserved: Option<(u64, u64)>,
}

impl Platform {
    /// Opens the UIO device of a name, as in its `/sys/class/uio/uio*/name`.
    pub fn open(name: &str) -> Result<Self, Error> {
        Self::open_below(Path::new("/"), name)
    }

    fn open_below(root: &Path, device: &str) -> Result<Self, Error> {
        let name = format!("platform:{device}");
        let devices = fs::read_dir(root.join("sys/class/uio")).into_iter().flatten().flatten();
        let named = |folder: &Path| {
            fs::read_to_string(folder.join("name")).unwrap_or_default().trim().to_owned()
        };
        let devices: Vec<_> = devices.map(|entry| entry.path()).collect();
        let Some(folder) = devices.iter().find(|folder| named(folder) == device) else {
            let known: Vec<String> = devices.iter().map(|folder| named(folder)).collect();
            return Err(Error::Refused(format!(
                "{name}: no UIO device has this name; there are {known:?}: name the card in the \
                 device tree with compatible = \"generic-uio\" and boot with \
                 uio_pdrv_genirq.of_id=generic-uio"
            )));
        };
        let (_, bytes) =
            map(folder, 0).filter(|(_, bytes)| *bytes >= BAR_BYTES as u64).ok_or_else(|| {
                Error::Refused(format!(
                    "{name}: map 0 has less than {BAR_BYTES} bytes of registers"
                ))
            })?;
        let reserved = map(folder, 1).ok_or_else(|| {
            Error::Refused(format!("{name}: no map 1; expected the reserved memory of the card"))
        })?;
        let file = root.join("dev").join(folder.file_name().unwrap_or_default());
        let failed = Error::io(format!("{name}: {} ({bytes} bytes of registers)", file.display()));
        let device = OpenOptions::new().read(true).write(true).open(&file).map_err(&failed)?;
        let registers = Mapping::of_file(&device, 0, BAR_BYTES, true).map_err(&failed)?;
        Ok(Self { name, device, registers, reserved: Some(reserved) })
    }

    fn failed(&self, what: &str) -> impl Fn(std::io::Error) -> Error {
        Error::io(format!("{}: {what}", self.name))
    }
}

/// Address and bytes of a map.
fn map(folder: &Path, index: usize) -> Option<(u64, u64)> {
    let number = |file| {
        let text = fs::read_to_string(folder.join(format!("maps/map{index}/{file}"))).ok()?;
        u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
    };
    Some((number("addr")?, number("size")?))
}

impl Transport for Platform {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn read32(&mut self, offset: usize) -> Result<u32, Error> {
        self.registers.read_register(offset).map_err(self.failed("reading a register"))
    }

    fn write32(&mut self, offset: usize, value: u32) -> Result<(), Error> {
        let written = self.registers.write_register(offset, value);
        written.map_err(self.failed("writing a register"))
    }

    fn map(&mut self, bytes: usize) -> Result<DmaMemory, Error> {
        let Some((iova, _)) = self.reserved.take_if(|(_, size)| bytes as u64 <= *size) else {
            return Err(Error::Refused(format!(
                "{}: {bytes} bytes are not left in the reserved memory; reserve more in the device tree",
                self.name
            )));
        };
        // The offset of a UIO map is its number of pages.
        let mapping = Mapping::of_file(&self.device, PAGE as u64, bytes, true);
        Ok(DmaMemory { mapping: mapping.map_err(self.failed("mapping memory"))?, iova })
    }

    fn unmap(&mut self, memory: &DmaMemory) -> Result<(), Error> {
        self.reserved = Some((memory.iova, memory.mapping.bytes() as u64));
        Ok(())
    }

    fn wait(&mut self, at_most: Duration) -> Result<bool, Error> {
        let mut files = [PollFd::new(&self.device, PollFlags::IN)];
        match poll(&mut files, at_most.try_into().ok().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(self.failed("waiting for an interrupt")(e.into())),
        }
        if !files[0].revents().contains(PollFlags::IN) {
            return Ok(false);
        }
        // The level goes down, then the kernel lets the next interrupt through.
        let read = (&self.device).read_exact(&mut [0; 4]);
        read.map_err(self.failed("taking an interrupt"))?;
        self.write32(HOST + host::irq_status::OFFSET, 3)?;
        let written = (&self.device).write_all(&1_u32.to_ne_bytes());
        written.map_err(self.failed("enabling the interrupt"))?;
        Ok(true)
    }

    fn reset(&mut self) -> Result<(), Error> {
        // There is no reset of a function: the pass is ended and the queue stopped.
        self.write32(registers::control::OFFSET, registers::control::STOP.mask() as u32)?;
        self.write32(HOST + host::control::OFFSET, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, bytes: &[u8]) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn soc() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "sys/class/uio/uio0/name", b"fan\n");
        write(root.path(), "sys/class/uio/uio3/name", b"kv260\n");
        write(root.path(), "sys/class/uio/uio3/maps/map0/addr", b"0xa0000000\n");
        write(root.path(), "sys/class/uio/uio3/maps/map0/size", b"0x2000\n");
        write(root.path(), "sys/class/uio/uio3/maps/map1/addr", b"0x60000000\n");
        write(root.path(), "sys/class/uio/uio3/maps/map1/size", b"0x3000\n");
        let mut bytes = vec![0; 0x4000];
        bytes[..4].copy_from_slice(&registers::magic::RESET.to_le_bytes());
        write(root.path(), "dev/uio3", &bytes);
        root
    }

    #[test]
    fn a_device_is_found_by_name_and_shares_its_reserved_memory() {
        let root = soc();
        let mut card = Platform::open_below(root.path(), "kv260").unwrap();
        assert_eq!(card.read32(0).unwrap(), registers::magic::RESET);
        let too_much = card.map(0x4000).unwrap_err().to_string();
        assert!(too_much.contains("reserve more"), "{too_much}");
        let memory = card.map(0x3000).unwrap();
        assert_eq!(memory.iova, 0x6000_0000);
        assert!(card.map(0x1000).is_err(), "it is taken");
        memory.mapping.write(0x1ff0, &[7; 16]).unwrap();
        assert_eq!(fs::read(root.path().join("dev/uio3")).unwrap()[0x2ff0..0x3000], [7; 16]);
        card.unmap(&memory).unwrap();
        card.map(0x1000).unwrap();
    }

    #[test]
    fn an_interrupt_is_taken_and_its_level_cleared() {
        let root = soc();
        let mut card = Platform::open_below(root.path(), "kv260").unwrap();
        assert!(card.wait(Duration::ZERO).unwrap(), "a file is always ready");
        assert_eq!(card.read32(HOST + host::irq_status::OFFSET).unwrap(), 3);
        let file = fs::read(root.path().join("dev/uio3")).unwrap();
        assert_eq!(file[4..8], 1_u32.to_ne_bytes(), "enabled again");
    }

    #[test]
    fn what_is_missing_is_named() {
        let root = soc();
        let error = |root: &Path, name| Platform::open_below(root, name).unwrap_err().to_string();
        let unknown = error(root.path(), "alveo");
        assert!(unknown.contains("kv260") && unknown.contains("generic-uio"), "{unknown}");
        write(root.path(), "sys/class/uio/uio3/maps/map0/size", b"0x1000\n");
        assert!(error(root.path(), "kv260").contains("map 0"));
        let root = soc();
        fs::remove_dir_all(root.path().join("sys/class/uio/uio3/maps/map1")).unwrap();
        assert!(error(root.path(), "kv260").contains("reserved memory"));
        let root = soc();
        fs::remove_file(root.path().join("dev/uio3")).unwrap();
        assert!(error(root.path(), "kv260").contains("dev/uio3"));
    }
}
